//! Waiting for what the consumers do, with a bar for a person who watches.

use std::time::{Duration, Instant};

use postback_store::{Generation, Life};

use crate::console::Console;
use crate::ending::Failure;
use crate::progress::{self, Meter};
use crate::replays::{Distance, LOOK_EVERY, Phase, Record};
use crate::servers::Trouble;

/// How long a group may be without a member before that is said.
const NOBODY_FOR: Duration = Duration::from_secs(10);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The generation has all of the past.
    Whole,
    /// Readers see it.
    Active,
}

impl Until {
    /// Waits. Interrupted, nothing is undone: the consumers go on.
    ///
    /// # Errors
    /// Where the generation is dropped, or the request withdrawn, meanwhile.
    pub(crate) async fn reached(
        self,
        generation: Generation,
        record: &Record,
        console: &mut Console,
    ) -> Result<(), Failure> {
        let meter = Meter::new("loading");
        let lonely =
            progress::shown(&meter, console, self.look(generation, record, &meter)).await?;
        if lonely {
            console.note("No consumer was a member of the group for a while; all is well now.");
        }
        Ok(())
    }

    /// True where nobody was loading for a while.
    async fn look(
        self,
        generation: Generation,
        record: &Record,
        meter: &Meter,
    ) -> Result<bool, Failure> {
        let (mut phase, mut done) = (None, 0);
        let (mut nobody_since, mut was_lonely) = (None::<Instant>, false);
        let mut is_away = false;
        loop {
            let asked = async {
                let lineage = record.lineage().await?;
                Ok::<_, Failure>((lineage, record.lag(generation).await?))
            };
            // What the consumers wait out is waited out here, too.
            let Ok((lineage, lag)) = asked.await else {
                if !is_away {
                    meter.begin("waiting: Kafka or ClickHouse does not answer", 0);
                }
                (phase, is_away) = (None, true);
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            };
            is_away = false;
            let Some(life) = lineage.live_one(generation) else {
                let what = format!("generation {generation} was dropped meanwhile");
                return Err(Trouble::new(what, "see `postback generation ls`").into());
            };
            let now = Phase::of(life, &lineage, Some(&lag));
            if self.is_reached(now) {
                return Ok(was_lonely);
            }
            if self.is_withdrawn(now, life) {
                let what = "the switch was withdrawn meanwhile";
                return Err(Trouble::new(what, "see `postback generation ls`").into());
            }
            let far = Distance::of(&lag, life);
            if phase != Some(now) {
                let what = match now {
                    Phase::Loading => "loading from Kafka",
                    Phase::Filling => "taking over what Kafka has no more",
                    _ => "switching readers",
                };
                let total = if now == Phase::Loading { far.total } else { 0 };
                meter.begin(what, total);
                (phase, done) = (Some(now), 0);
            }
            if now == Phase::Loading {
                meter.advance(far.done.saturating_sub(done));
                done = far.done;
            }
            if lag.members > 0 {
                nobody_since = None;
            } else {
                let since = *nobody_since.get_or_insert_with(Instant::now);
                if since.elapsed() > NOBODY_FOR {
                    meter.begin("waiting for a postback-consumer: none is loading", 0);
                    (phase, was_lonely) = (None, true);
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn is_reached(self, now: Phase) -> bool {
        match self {
            Self::Whole => matches!(now, Phase::Standby | Phase::Switching | Phase::Active),
            Self::Active => now == Phase::Active,
        }
    }

    /// Nobody asks for the switch by now, and nobody will: a replay that was made to be activated
    /// asks once it is whole.
    fn is_withdrawn(self, now: Phase, life: &Life) -> bool {
        let is_asked = now == Phase::Switching || life.wants_activation();
        self == Self::Active && now != Phase::Active && !is_asked
    }
}

#[cfg(test)]
mod tests {
    use postback_store::generations;

    use super::*;

    fn life(activate: bool, is_withdrawn: bool, activated_at: &[i64]) -> Life {
        Life {
            generation: Generation::FIRST,
            record: generations::Record {
                number: 1,
                normaliser_version: 1,
                base: 0,
                activate,
                rules: String::new(),
                made_by: String::new(),
                made_at: 0,
            },
            activated_at: activated_at.to_vec(),
            target: None,
            filled: None,
            is_withdrawn,
            dropped_at: None,
        }
    }

    #[test]
    fn a_switch_that_nobody_asks_for_is_not_waited_for() {
        let asks_later = life(true, false, &[]);
        for now in [Phase::Loading, Phase::Filling, Phase::Standby] {
            assert!(!Until::Active.is_withdrawn(now, &asks_later), "{now:?}");
            let withdrawn = life(true, true, &[]);
            assert!(Until::Active.is_withdrawn(now, &withdrawn), "{now:?}");
            assert!(!Until::Whole.is_withdrawn(now, &withdrawn), "{now:?}");
        }
        // Asked for by name, and taken back before the first look.
        for life in [life(false, true, &[]), life(true, false, &[7])] {
            assert!(Until::Active.is_withdrawn(Phase::Standby, &life));
            assert!(!Until::Active.is_withdrawn(Phase::Switching, &life));
            assert!(!Until::Active.is_withdrawn(Phase::Active, &life));
        }
    }
}
