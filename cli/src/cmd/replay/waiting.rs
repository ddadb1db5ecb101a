//! Waiting for what the consumers do, with a bar for a person who watches.

use std::time::{Duration, Instant};

use postback_store::{Generation, Life, Lineage};

use super::status::nobody_loads;
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

/// How long a group has had no member.
#[derive(Debug, Default)]
struct Nobody(Option<Instant>);

impl Nobody {
    /// True where that is to be said.
    fn is_long(&mut self, members: usize, now: Instant) -> bool {
        if members > 0 {
            self.0 = None;
            return false;
        }
        let since = *self.0.get_or_insert(now);
        now.saturating_duration_since(since) > NOBODY_FOR
    }
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    phase: Option<Phase>,
    done: u64,
    /// Nobody loads the generation; nor what readers see.
    nobody: Nobody,
    nobody_leads: Nobody,
    was_lonely: bool,
    is_told: bool,
    is_away: bool,
}

impl Seen {
    fn show(&mut self, phase: Phase, far: Distance, meter: &Meter) {
        if self.phase != Some(phase) {
            let what = match phase {
                Phase::Loading => "loading from Kafka",
                Phase::Filling => "taking over what Kafka has no more",
                _ => "switching readers",
            };
            let total = if phase == Phase::Loading {
                far.total
            } else {
                0
            };
            meter.begin(what, total);
            (self.phase, self.done) = (Some(phase), 0);
        }
        if phase == Phase::Loading {
            meter.advance(far.done.saturating_sub(self.done));
            self.done = far.done;
        }
    }

    /// What there is to say, once, about the group of what readers see.
    fn news(&mut self, lineage: &Lineage, leader: Option<&Leader>, now: Instant) -> Option<String> {
        let Leader { active, members } = leader?;
        if !self.nobody_leads.is_long(*members, now) || self.is_told {
            return None;
        }
        self.is_told = true;
        Some(nobody_loads(*active, lineage))
    }
}

/// What readers see, and how many load it.
#[derive(Debug)]
struct Leader {
    active: Generation,
    members: usize,
}

/// Why looking ends.
#[derive(Debug)]
enum Found {
    Reached,
    /// To be told, and to be waited on.
    ToTell(String),
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
        let mut seen = Seen::default();
        loop {
            let look = self.look(generation, record, &meter, &mut seen);
            match progress::shown(&meter, console, look).await? {
                Found::Reached => break,
                Found::ToTell(words) => console.warn(words),
            }
        }
        if seen.was_lonely {
            console.note("No consumer was a member of the group for a while; all is well now.");
        }
        Ok(())
    }

    /// Looks until there is something to say.
    async fn look(
        self,
        generation: Generation,
        record: &Record,
        meter: &Meter,
        seen: &mut Seen,
    ) -> Result<Found, Failure> {
        loop {
            let asked = async {
                let lineage = record.lineage().await?;
                let lag = record.lag(generation).await?;
                let leader = self.leader(generation, &lineage, record).await?;
                Ok::<_, Failure>((lineage, lag, leader))
            };
            // What the consumers wait out is waited out here, too.
            let Ok((lineage, lag, leader)) = asked.await else {
                if !seen.is_away {
                    meter.begin("waiting: Kafka or ClickHouse does not answer", 0);
                }
                (seen.phase, seen.is_away) = (None, true);
                // Members that were away with it get as long to come back.
                (seen.nobody, seen.nobody_leads) = (Nobody::default(), Nobody::default());
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            };
            seen.is_away = false;
            let Some(life) = lineage.live_one(generation) else {
                let what = format!("generation {generation} was dropped meanwhile");
                return Err(Trouble::new(what, "see `postback generation ls`").into());
            };
            let phase = Phase::of(life, &lineage, Some(&lag));
            if self.is_reached(phase) {
                return Ok(Found::Reached);
            }
            if self.is_withdrawn(phase, life) {
                let what = "the switch was withdrawn meanwhile";
                return Err(Trouble::new(what, "see `postback generation ls`").into());
            }
            seen.show(phase, Distance::of(&lag, life), meter);
            let now = Instant::now();
            if seen.nobody.is_long(lag.members, now) {
                meter.begin("waiting for a postback-consumer: none is loading", 0);
                (seen.phase, seen.was_lonely) = (None, true);
            }
            if let Some(words) = seen.news(&lineage, leader.as_ref(), now) {
                return Ok(Found::ToTell(words));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Who loads what readers see, as long as something is waited for that only those do: they note
    /// where a replay is to come to, and switch readers.
    async fn leader(
        self,
        generation: Generation,
        lineage: &Lineage,
        record: &Record,
    ) -> Result<Option<Leader>, Failure> {
        let is_needed =
            |life: &Life| self == Self::Active || (!life.is_whole() && life.target.is_none());
        let other = lineage.active.filter(|active| *active != generation);
        match (other, lineage.live_one(generation)) {
            (Some(active), Some(life)) if is_needed(life) => {
                let members = record.lag(active).await?.members;
                Ok(Some(Leader { active, members }))
            }
            _ => Ok(None),
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
    use std::collections::BTreeMap;

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

    #[test]
    fn that_nobody_loads_what_readers_see_is_said_once_and_after_a_while() {
        let mut active = life(false, false, &[7]);
        active.record.normaliser_version = 99;
        let lineage = Lineage {
            lives: BTreeMap::from([(Generation::FIRST, active)]),
            active: Some(Generation::FIRST),
            activation: None,
        };
        let leader = |members| Leader {
            active: Generation::FIRST,
            members,
        };
        let (alone, joined) = (leader(0), leader(1));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        let mut told = |leader, seconds| seen.news(&lineage, leader, at(seconds));
        assert_eq!(told(Some(&alone), 0), None);
        assert_eq!(told(Some(&joined), 9), None, "a restart");
        assert_eq!(told(Some(&alone), 10), None);
        assert_eq!(told(None, 15), None, "what is not needed is not asked");
        assert_eq!(told(Some(&alone), 20), None);
        let words = told(Some(&alone), 21).unwrap();
        assert!(
            words.contains("loads generation 1, which readers see"),
            "{words}"
        );
        assert!(words.contains("normaliser version 99"), "{words}");
        assert_eq!(told(Some(&alone), 22), None, "once");
        assert_eq!(told(Some(&alone), 99), None, "once");
    }
}
