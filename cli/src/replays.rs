//! What `replay` and `generation` share: the record of generations, how far a replay is, and the
//! rules that a file would give a new one.

use std::collections::BTreeMap;
use std::time::Duration;

use postback_common::config::{ConfigError, Settings};
use postback_common::name::AccountName;
use postback_normalise::configured::Fixed;
use postback_normalise::{Configured, Recorded, RecordedRules};
use postback_store::generations::{Change, later_rules};
use postback_store::{Client, Generation, Life, Lineage, Role, client, generations};

use crate::arguments::Options;
use crate::ending::Failure;
use crate::lag::{self, GroupLag};
use crate::servers::Trouble;

/// Pause between two looks at what is under way.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The record of generations, to be read again and again.
pub(crate) struct Record {
    pub(crate) client: Client,
    settings: Settings,
}

impl Record {
    pub(crate) fn of(settings: &Settings) -> Result<Self, Failure> {
        let client = client(&settings.clickhouse, Role::Query);
        Ok(Self {
            client: client.map_err(|error| Trouble::of_clickhouse(&error, &settings.clickhouse))?,
            settings: settings.clone(),
        })
    }

    pub(crate) fn trouble(&self, error: &postback_store::StoreError) -> Failure {
        Trouble::of_clickhouse(error, &self.settings.clickhouse).into()
    }

    pub(crate) async fn lineage(&self) -> Result<Lineage, Failure> {
        let lineage = generations::lineage(&self.client).await;
        lineage.map_err(|error| self.trouble(&error))
    }

    /// The lineage, and the generation that readers see.
    pub(crate) async fn with_active(&self) -> Result<(Lineage, Generation), Failure> {
        let lineage = self.lineage().await?;
        let Some(active) = lineage.active else {
            let remedy = "make the tables with `postback migrate`";
            return Err(Trouble::new("no generation is active", remedy).into());
        };
        Ok((lineage, active))
    }

    /// What a generation is loaded by now.
    pub(crate) async fn rules(&self, life: &Life) -> Result<RecordedRules, Failure> {
        let later = later_rules(&self.client, life.generation).await;
        let later = later.map_err(|error| self.trouble(&error))?;
        let later = (later.iter()).map(|later| (later.change == Change::Accepted, &*later.rule));
        RecordedRules::with_later(&life.record.rules, later).map_err(Failure::failed)
    }

    /// Where a generation's group is.
    pub(crate) async fn lag(&self, generation: Generation) -> Result<GroupLag, Failure> {
        let lag = lag::of_generation(&self.settings, generation).await;
        lag.map_err(|words| Trouble::new(words, "see `postback doctor`").into())
    }
}

/// One live generation of that number.
pub(crate) fn live_one(lineage: &Lineage, number: u32) -> Result<&Life, Failure> {
    let generation = Generation::new(number);
    let life = generation.and_then(|generation| lineage.lives.get(&generation));
    match life {
        Some(life) if life.is_live() => Ok(life),
        Some(_) => Err(Failure::Usage(format!(
            "generation {number} was dropped; see `postback generation ls`"
        ))),
        None => Err(Failure::Usage(format!(
            "there is no generation {number}; see `postback generation ls`"
        ))),
    }
}

/// The rules that the file's sources would have in a new generation: what is fixed for an account
/// stays, unless the file demands another identity by name.
///
/// Without that, a template that carries more than an older one did would reject the whole past.
pub(crate) fn renewed(
    settings: &Settings,
    options: &Options,
    base: &RecordedRules,
) -> Result<Configured, Failure> {
    let mut fixed: BTreeMap<AccountName, Fixed> = base.fixed();
    for source in &settings.sources {
        if let (Some(demanded), Some(known)) = (source.identity, fixed.get(&source.account))
            && demanded != known.identity
        {
            fixed.remove(&source.account);
        }
    }
    let configured = Configured::new(&settings.sources, &fixed);
    let configured = configured.map_err(|faults| ConfigError::refused(&options.config, faults))?;
    let lacking: Vec<&str> = (base.sources.iter())
        .filter(|known| !configured.recorded().reads(&known.source))
        .map(|known| known.source.as_str())
        .collect();
    if lacking.is_empty() {
        return Ok(configured);
    }
    Err(Failure::Usage(format!(
        "the configuration lacks source {}: its postbacks would all be rejected as unknown_source\n    \
         remedy: write it down again with enabled = false",
        lacking.join(", ")
    )))
}

/// Sources of which a file says something else than a generation is loaded by, each with what; new
/// ones among them that are not added, because their account is loaded otherwise.
pub(crate) fn changed_sources(known: &RecordedRules, file: &Configured) -> Vec<String> {
    let changed = file.recorded().sources.iter().filter_map(|proposed| {
        let differences = known.otherwise_than(proposed);
        let names: Vec<_> = differences.iter().map(|found| found.as_str()).collect();
        (!names.is_empty()).then(|| format!("{} ({})", proposed.source, names.join(", ")))
    });
    changed.collect()
}

/// What to do about sources of which a file says something else.
pub(crate) fn remedy_for_changes(known: &RecordedRules, file: &Configured) -> String {
    let is_acceptable = |proposed: &&Recorded| {
        let differences = known.of(&proposed.source);
        let differences = differences.map(|known| known.differences(proposed));
        differences.is_some_and(|found| {
            !found.is_empty() && found.iter().all(|one| !one.moves_conversions())
        })
    };
    let acceptable = file.recorded().sources.iter().filter(is_acceptable);
    let acceptable: Vec<_> = acceptable
        .map(|proposed| format!("`postback generation accept {}`", proposed.source))
        .collect();
    let all = "`postback replay start` loads everything anew by the file, and `postback replay plan` says before what would change";
    if acceptable.is_empty() {
        format!("{all}; or take the change back")
    } else {
        let accept = acceptable.join(", ");
        format!(
            "{accept} has what comes from now on loaded by the file (with the consumers stopped); {all}; or take the change back"
        )
    }
}

/// How far a replay is, in records of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Distance {
    pub(crate) done: u64,
    pub(crate) total: u64,
}

impl Distance {
    /// From the topic's beginning to the replay's target; without one, to the topic's end.
    pub(crate) fn of(lag: &GroupLag, life: &Life) -> Self {
        let (mut done, mut total) = (0, 0);
        for found in &lag.partitions {
            let target = life
                .target
                .as_ref()
                .and_then(|target| target.get(&found.partition));
            let end = target
                .copied()
                .unwrap_or(found.high)
                .min(found.high)
                .max(found.low);
            let next = found.committed.unwrap_or(found.low).clamp(found.low, end);
            done += u64::try_from(next - found.low).unwrap_or(0);
            total += u64::try_from(end - found.low).unwrap_or(0);
        }
        Self { done, total }
    }
}

/// What a live generation is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It reads the topic, up to where the live one was.
    Loading,
    /// It takes over what the topic has no more.
    Filling,
    /// It has all of the past, and is loaded beside what readers see.
    Standby,
    /// Readers are being switched to it.
    Switching,
    /// Readers see it.
    Active,
    Dropped,
}

impl Phase {
    pub(crate) fn of(life: &Life, lineage: &Lineage, lag: Option<&GroupLag>) -> Self {
        let generation = life.generation;
        let is_switching = (lineage.activation.as_ref()).is_some_and(|a| a.to == generation);
        if !life.is_live() {
            return Self::Dropped;
        }
        if lineage.active == Some(generation) {
            return Self::Active;
        }
        if !life.is_whole() {
            let far = lag.map(|lag| Distance::of(lag, life));
            let has_passed = far.is_some_and(|far| far.done == far.total);
            return if life.target.is_some() && has_passed {
                Self::Filling
            } else {
                Self::Loading
            };
        }
        if is_switching {
            Self::Switching
        } else {
            Self::Standby
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Filling => "filling",
            Self::Standby => "standby",
            Self::Switching => "switching",
            Self::Active => "active",
            Self::Dropped => "dropped",
        }
    }
}

#[cfg(test)]
mod tests {
    use postback_store::generations;

    use super::*;
    use crate::lag::PartitionLag;

    fn life(target: &[i64]) -> Life {
        Life {
            generation: Generation::FIRST,
            record: generations::Record {
                number: 2,
                normaliser_version: 1,
                base: 1,
                activate: false,
                rules: String::new(),
                made_by: String::new(),
                made_at: 0,
            },
            activated_at: Vec::new(),
            target: Some((0..).zip(target.iter().copied()).collect()),
            filled: None,
            is_withdrawn: false,
            dropped_at: None,
        }
    }

    fn lag(partitions: &[(Option<i64>, i64, i64)]) -> GroupLag {
        let partitions = (0..)
            .zip(partitions)
            .map(|(partition, found)| PartitionLag {
                partition,
                committed: found.0,
                low: found.1,
                high: found.2,
            });
        GroupLag {
            group: "g".to_owned(),
            members: 1,
            partitions: partitions.collect(),
        }
    }

    #[test]
    fn a_replay_goes_from_the_topics_beginning_to_its_target() {
        let distance = |partitions: &[(Option<i64>, i64, i64)], target: &[i64]| {
            let far = Distance::of(&lag(partitions), &life(target));
            (far.done, far.total)
        };
        assert_eq!(
            distance(&[(None, 0, 100), (Some(30), 10, 50)], &[80, 50]),
            (20, 120)
        );
        assert_eq!(
            distance(&[(Some(95), 0, 100)], &[80]),
            (80, 80),
            "what comes after is live load"
        );
        assert_eq!(
            distance(&[(None, 90, 100)], &[80]),
            (0, 0),
            "retention has taken it all"
        );
        assert_eq!(
            distance(&[(Some(3), 0, 7)], &[1000]),
            (3, 7),
            "a topic that was made anew"
        );
    }
}
