//! The consumer groups of generations, seen from outside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use postback_common::config::{KafkaSettings, Settings};
use postback_service::kafka::rdkafka::admin::{AdminClient, AdminOptions};
use postback_service::kafka::rdkafka::client::DefaultClientContext;
use postback_service::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use postback_service::kafka::{Amount, LogError, LogReader, client_config, next_to_load};
use postback_store::{Generation, Offsets};

use super::StepError;

/// What deletes groups.
pub(super) type Admin = AdminClient<DefaultClientContext>;

/// For one question or order.
const WITHIN: Duration = Duration::from_secs(10);

/// What a group has committed of one partition, and what the partition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    committed: Option<i64>,
    /// What its member wrote beside the offset.
    mark: String,
    low: i64,
    high: i64,
}

/// All partitions of the topic, as one group has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Positions(BTreeMap<i32, Position>);

impl Positions {
    /// The next offsets to load.
    pub(super) fn next(&self) -> Offsets {
        let next =
            |position: &Position| next_to_load(position.committed, position.low, position.high);
        (self.0.iter())
            .map(|(partition, position)| (*partition, next(position)))
            .collect()
    }

    /// The same, or behind what is `inserted` already where that is further on. An offset beyond the
    /// end belongs to an older log of that name.
    pub(super) fn next_with(&self, inserted: &Offsets) -> Offsets {
        let mut next = self.next();
        for (partition, next) in &mut next {
            let seen = inserted.get(partition).copied().unwrap_or(*next);
            let high = self
                .0
                .get(partition)
                .map_or(*next, |position| position.high);
            *next = seen.min(high).max(*next);
        }
        next
    }

    /// Everything before `target` is loaded, or is in the topic no more.
    pub(super) fn passed(&self, target: &Offsets) -> bool {
        target.iter().all(|(partition, offset)| {
            self.0.get(partition).is_some_and(|position| {
                let next = next_to_load(position.committed, position.low, position.high);
                // What retention took before it was loaded does not come any more.
                next.max(position.low) >= *offset.min(&position.high)
            })
        })
    }

    /// Every partition stands still under this mark.
    pub(super) fn all_marked(&self, mark: &str) -> bool {
        !self.0.is_empty() && self.0.values().all(|position| position.mark == mark)
    }
}

/// Asks Kafka, as an outsider.
#[derive(Debug, Clone)]
pub(super) struct Groups(Arc<Names>);

#[derive(Debug)]
struct Names {
    kafka: KafkaSettings,
    group: String,
}

impl Groups {
    pub(super) fn new(settings: &Settings) -> Self {
        Self(Arc::new(Names {
            kafka: settings.kafka.clone(),
            group: settings.consumer.group.clone(),
        }))
    }

    /// Where a generation's group is.
    pub(super) async fn positions(&self, generation: Generation) -> Result<Positions, StepError> {
        let names = Arc::clone(&self.0);
        let asked = tokio::task::spawn_blocking(move || names.ask(generation)).await?;
        Ok(asked?)
    }

    /// A client that deletes groups.
    pub(super) fn admin(&self) -> Result<Admin, KafkaError> {
        client_config(&self.0.kafka, "postback-coordinator").create()
    }

    /// Deletes a generation's group; well also where there is none.
    pub(super) async fn delete(
        &self,
        admin: &Admin,
        generation: Generation,
    ) -> Result<(), KafkaError> {
        let group = generation.consumer_group(&self.0.group);
        let options = AdminOptions::new().request_timeout(Some(WITHIN));
        for deleted in admin.delete_groups(&[&group], &options).await? {
            match deleted {
                Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound)) => {}
                Err((_, code)) => return Err(KafkaError::AdminOp(code)),
            }
        }
        Ok(())
    }
}

impl Names {
    fn ask(&self, generation: Generation) -> Result<Positions, LogError> {
        let group = generation.consumer_group(&self.group);
        let reader = LogReader::of_group(
            &self.kafka,
            &self.kafka.topic,
            "postback-coordinator",
            &group,
            Amount::Few,
        )?;
        let partitions = reader.partitions()?;
        let mut committed = reader.committed_with_marks(&partitions)?;
        let mut positions = BTreeMap::new();
        for partition in partitions {
            let (low, high) = reader.bounds(partition)?;
            let (committed, mark) = committed.remove(&partition).unzip();
            let position = Position {
                committed,
                mark: mark.unwrap_or_default(),
                low,
                high,
            };
            positions.insert(partition, position);
        }
        Ok(Positions(positions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(all: &[(Option<i64>, i64, i64)]) -> Positions {
        let position = |(committed, low, high): &(Option<i64>, i64, i64)| Position {
            committed: *committed,
            mark: "m".to_owned(),
            low: *low,
            high: *high,
        };
        Positions((0..).zip(all.iter().map(position)).collect())
    }

    fn target(offsets: &[i64]) -> Offsets {
        (0..).zip(offsets.iter().copied()).collect()
    }

    #[test]
    fn it_has_passed_what_is_loaded_and_what_is_gone() {
        let at = positions(&[(Some(5), 0, 9), (None, 3, 3)]);
        assert_eq!(at.next(), target(&[5, 3]));
        assert!(at.passed(&target(&[5, 3])) && at.passed(&target(&[4])));
        assert!(!at.passed(&target(&[6, 0])));
        assert!(
            !positions(&[]).passed(&target(&[0])),
            "an unknown partition is not passed"
        );
        // The topic was made anew after the target was noted.
        let anew = positions(&[(Some(7), 0, 7)]);
        assert!(anew.passed(&target(&[1000])));
        assert!(!positions(&[(Some(6), 0, 7)]).passed(&target(&[1000])));
        // Retention has taken the rest of the partition, and then some of it.
        assert!(positions(&[(Some(50), 100, 100)]).passed(&target(&[100])));
        assert!(positions(&[(Some(50), 80, 100)]).passed(&target(&[80])));
        assert!(!positions(&[(Some(50), 80, 100)]).passed(&target(&[81])));
        // Offsets beyond the end are those of an older log: of this one nothing is loaded.
        let older = positions(&[(Some(1000), 2, 7)]);
        assert_eq!(older.next(), target(&[2]));
        assert!(!older.passed(&target(&[1000])) && !older.passed(&target(&[7])));
    }

    #[test]
    fn what_was_inserted_and_not_committed_is_to_be_passed_too() {
        let at = positions(&[(Some(5), 0, 9), (Some(3), 0, 3), (None, 2, 8)]);
        let inserted = Offsets::from([(0, 8), (1, 1000)]);
        assert_eq!(
            at.next_with(&inserted),
            target(&[8, 3, 2]),
            "1000 is of an older log"
        );
        assert_eq!(
            at.next_with(&target(&[4, 0, 0])),
            at.next(),
            "it never goes back"
        );
    }

    #[test]
    fn all_stand_still_only_with_the_mark_on_each() {
        let mut at = positions(&[(Some(5), 0, 9), (None, 3, 3)]);
        assert!(at.all_marked("m") && !at.all_marked("other"));
        at.0.get_mut(&1).unwrap().mark.clear();
        assert!(!at.all_marked("m"));
        assert!(!Positions::default().all_marked("m"));
    }
}
