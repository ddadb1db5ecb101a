//! How far a consumer group is behind its topic.

use std::time::{Duration, Instant};

use postback_common::config::KafkaSettings;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::log::group_error;
use super::{client_config, explain, next_to_load};

/// How long Kafka gets for each answer.
const WITHIN: Duration = Duration::from_secs(3);

/// Pause before a broker that has yet to find itself is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// A consumer group, as Kafka sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLag {
    /// Its name.
    pub group: String,
    /// Consumers that are members now.
    pub members: usize,
    /// By number.
    pub partitions: Vec<PartitionLag>,
}

/// One partition of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionLag {
    /// Its number.
    pub partition: i32,
    /// The next record to be loaded; `None` where nothing was committed yet.
    pub committed: Option<i64>,
    /// The oldest record that Kafka still has.
    pub low: i64,
    /// Where the next record will stand.
    pub high: i64,
}

impl PartitionLag {
    /// Records that wait to be loaded.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        u64::try_from(self.high - self.next().max(self.low)).unwrap_or(0)
    }

    /// Records that Kafka gave up before they were loaded.
    #[must_use]
    pub fn lost(&self) -> u64 {
        u64::try_from(self.low - self.next()).unwrap_or(0)
    }

    /// The next record to be loaded, whatever was committed.
    #[must_use]
    pub fn next(&self) -> i64 {
        next_to_load(self.committed, self.low, self.high)
    }
}

impl GroupLag {
    /// Records that wait to be loaded.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.partitions.iter().map(PartitionLag::waiting).sum()
    }
}

/// Asks Kafka for a group and its topic.
///
/// # Errors
/// Kafka's words when it does not answer, or there is no such topic.
pub async fn lag(settings: &KafkaSettings, topic: &str, group: String) -> Result<GroupLag, String> {
    let (settings, topic) = (settings.clone(), topic.to_owned());
    let asked = tokio::task::spawn_blocking(move || ask_patiently(&settings, &topic, &group));
    let unanswered = |error: tokio::task::JoinError| error.to_string();
    asked.await.map_err(unanswered).and_then(|answer| answer)
}

/// The first question about any group makes a new cluster create its topic of offsets.
fn ask_patiently(settings: &KafkaSettings, topic: &str, group: &str) -> Result<GroupLag, String> {
    let begun = Instant::now();
    loop {
        match ask(settings, topic, group) {
            Err(error) if finds_itself(&error) && begun.elapsed() < WITHIN => {
                std::thread::sleep(PAUSE);
            }
            Ok(lag) if lag.partitions.is_empty() => {
                return Err(format!("there is no topic {topic}: run `postback migrate`"));
            }
            answer => return answer.map_err(|error| words(&error, settings, group)),
        }
    }
}

fn words(error: &KafkaError, settings: &KafkaSettings, group: &str) -> String {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut,
        ) => format!("Kafka at {} does not answer", settings.brokers.join(", ")),
        Some(RDKafkaErrorCode::GroupAuthorizationFailed) => format!(
            "Kafka does not let group {group} be asked: allow the user in kafka.options to Read it"
        ),
        _ => explain(settings, error),
    }
}

fn finds_itself(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
        )
    )
}

/// Joins nothing: it only reads, as an outsider.
fn ask(settings: &KafkaSettings, topic: &str, group: &str) -> Result<GroupLag, KafkaError> {
    let consumer: BaseConsumer = client_config(settings, "postback-lag")
        .set("group.id", group)
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), WITHIN)?;
    let mut wanted = TopicPartitionList::new();
    for found in metadata
        .topics()
        .iter()
        .filter(|found| found.name() == topic)
    {
        for partition in found.partitions() {
            wanted.add_partition(topic, partition.id());
        }
    }
    let groups = consumer.fetch_group_list(Some(group), WITHIN)?;
    let found = groups.groups().iter().find(|found| found.name() == group);
    let members = found.map_or(0, |found| found.members().len());
    let committed = consumer.committed_offsets(wanted, WITHIN);
    let committed = committed.map_err(|error| group_error(&consumer).unwrap_or(error))?;
    let mut partitions = Vec::new();
    for element in committed.elements() {
        let (low, high) = consumer.fetch_watermarks(topic, element.partition(), WITHIN)?;
        partitions.push(PartitionLag {
            partition: element.partition(),
            committed: match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            },
            low,
            high,
        });
    }
    partitions.sort_by_key(|found| found.partition);
    Ok(GroupLag {
        group: group.to_owned(),
        members,
        partitions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(committed: Option<i64>, low: i64, high: i64) -> (u64, u64) {
        let found = PartitionLag {
            partition: 0,
            committed,
            low,
            high,
        };
        (found.waiting(), found.lost())
    }

    #[test]
    fn what_waits_begins_at_the_committed_offset_or_the_oldest_record() {
        assert_eq!(partition(Some(7), 0, 10), (3, 0));
        assert_eq!(partition(Some(10), 0, 10), (0, 0));
        assert_eq!(partition(None, 4, 10), (6, 0));
        // Retention passed the loader by: 3 records are gone.
        assert_eq!(partition(Some(1), 4, 10), (6, 3));
        // A topic that was made anew.
        assert_eq!(partition(Some(100), 0, 10), (10, 0));
    }
}
