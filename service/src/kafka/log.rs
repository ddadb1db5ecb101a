//! Reads stretches of a topic's log: no group, no commit, nothing that anybody else notices.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postback_common::config::KafkaSettings;
use postback_common::record::Message;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::metadata::MetadataPartition;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::{client_config, explain, set_unless_given};

/// How long Kafka gets for each answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Without a record for so long, Kafka is away.
const SILENCE: Duration = Duration::from_secs(30);
/// How often a wait for records is looked up from.
const POLL: Duration = Duration::from_millis(100);

/// Offsets of one partition: `from` ≤ offset < `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// The offset behind the last.
    pub to: i64,
}

/// Why the log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// librdkafka refuses the configuration.
    #[error("Kafka's client cannot be made: {0}")]
    Options(String),
    /// No broker answers, or it stopped sending.
    #[error("Kafka at {brokers} does not answer: {cause}")]
    Unreachable {
        /// As configured.
        brokers: String,
        /// librdkafka's words.
        cause: String,
    },
    /// The brokers answer, and will not let the topic be read.
    #[error("Kafka does not let topic {topic} be read: {cause}")]
    Refused {
        /// The topic.
        topic: String,
        /// Kafka's words.
        cause: String,
    },
}

impl LogError {
    /// What to do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Options(_) => "correct [kafka.options]; librdkafka's CONFIGURATION.md lists them",
            Self::Unreachable { .. } => {
                "start Kafka, or correct kafka.brokers and the TLS and SASL settings in kafka.options"
            }
            Self::Refused { .. } => {
                "see that the topic exists (`postback migrate`) and that the user in kafka.options may Read and Describe it"
            }
        }
    }
}

/// How a reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything was read.
    Whole,
    /// It was told to stop.
    Stopped,
}

/// What a reader of a log begins with, which joins no group.
pub(super) fn reader_config(
    settings: &KafkaSettings,
    client_id: &str,
    group: &str,
) -> ClientConfig {
    let mut config = client_config(settings, client_id);
    // Memory is bounded whatever the topic holds.
    let bounded = [
        ("queued.max.messages.kbytes", "16384"),
        ("fetch.max.bytes", "8388608"),
        ("fetch.wait.max.ms", "100"),
        ("fetch.queue.backoff.ms", "20"),
    ];
    set_unless_given(&mut config, bounded);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        // What retention takes meanwhile is passed over.
        .set("auto.offset.reset", "earliest");
    config
}

/// Reads one topic. All functions block.
pub struct LogReader {
    consumer: BaseConsumer,
    topic: String,
    brokers: String,
}

impl LogReader {
    /// Makes a client. Connects in the background.
    ///
    /// # Errors
    /// [`LogError::Options`]
    pub fn open(settings: &KafkaSettings, topic: &str, client_id: &str) -> Result<Self, LogError> {
        // librdkafka asks for a group; this one is neither joined nor written.
        Self::of_group(settings, topic, client_id, client_id)
    }

    /// The same, to ask for a group's offsets too, as an outsider.
    ///
    /// # Errors
    /// [`LogError::Options`]
    pub fn of_group(
        settings: &KafkaSettings,
        topic: &str,
        client_id: &str,
        group: &str,
    ) -> Result<Self, LogError> {
        let config = reader_config(settings, client_id, group);
        let consumer = config
            .create()
            .map_err(|error| LogError::Options(explain(settings, &error)))?;
        Ok(Self {
            consumer,
            topic: topic.to_owned(),
            brokers: settings.brokers.join(", "),
        })
    }

    /// The topic's partitions; none where there is no such topic.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn partitions(&self) -> Result<Vec<i32>, LogError> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(&self.topic), ANSWER_WITHIN)
            .map_err(|error| self.failed(&error))?;
        let ours = metadata
            .topics()
            .iter()
            .filter(|found| found.name() == self.topic);
        let mut all: Vec<i32> = ours
            .flat_map(|found| found.partitions().iter().map(MetadataPartition::id))
            .collect();
        all.sort_unstable();
        Ok(all)
    }

    /// What the group has committed of these partitions: the next offsets to be loaded. None for one
    /// of which it has committed nothing.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn committed(&self, partitions: &[i32]) -> Result<BTreeMap<i32, i64>, LogError> {
        Ok(offsets(&self.committed_list(partitions)?))
    }

    /// The same, each offset with what its member wrote beside it.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn committed_with_marks(
        &self,
        partitions: &[i32],
    ) -> Result<BTreeMap<i32, (i64, String)>, LogError> {
        let list = self.committed_list(partitions)?;
        let mut offsets = offsets(&list);
        let marked = list.elements().into_iter().filter_map(|element| {
            let partition = element.partition();
            let offset = offsets.remove(&partition)?;
            Some((partition, (offset, element.metadata().to_owned())))
        });
        Ok(marked.collect())
    }

    fn committed_list(&self, partitions: &[i32]) -> Result<TopicPartitionList, LogError> {
        let list = self.list(
            partitions
                .iter()
                .map(|partition| (*partition, Offset::Invalid)),
        )?;
        let known = self.consumer.committed_offsets(list, ANSWER_WITHIN);
        known.map_err(|error| self.failed(&error))
    }

    /// The oldest offset of a partition that Kafka still has, and the one behind the newest.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn bounds(&self, partition: i32) -> Result<(i64, i64), LogError> {
        self.consumer
            .fetch_watermarks(&self.topic, partition, ANSWER_WITHIN)
            .map_err(|error| self.failed(&error))
    }

    /// For each of these partitions the first offset that the broker took at or after a moment;
    /// none for one in which there is none.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn offsets_since(
        &self,
        partitions: &[i32],
        moment: Timestamp,
    ) -> Result<BTreeMap<i32, i64>, LogError> {
        let at = Offset::Offset(moment.as_millisecond().max(0));
        let list = self.list(partitions.iter().map(|partition| (*partition, at)))?;
        let found = self
            .consumer
            .offsets_for_times(list, ANSWER_WITHIN)
            .map_err(|error| self.failed(&error))?;
        Ok(offsets(&found))
    }

    /// Reads spans of different partitions, side by side; in each, `each` gets the records in the
    /// order of their offsets. A span's offsets need not all have a record.
    ///
    /// # Errors
    /// [`LogError`]; `each` may have been called.
    pub fn read(
        &self,
        spans: &[Span],
        stop: &AtomicBool,
        mut each: impl FnMut(Message<'_>),
    ) -> Result<End, LogError> {
        let mut open: BTreeMap<i32, i64> = spans
            .iter()
            .filter(|span| span.from < span.to)
            .map(|span| (span.partition, span.to))
            .collect();
        let begins = spans.iter().filter(|span| span.from < span.to);
        let begins = begins.map(|span| (span.partition, Offset::Offset(span.from)));
        let assigned = self.consumer.assign(&self.list(begins)?);
        assigned.map_err(|error| self.failed(&error))?;
        let ended = self.read_assigned(&mut open, stop, &mut each);
        let unassigned = self.consumer.unassign();
        let ended = ended?;
        unassigned.map_err(|error| self.failed(&error))?;
        Ok(ended)
    }

    fn read_assigned(
        &self,
        open: &mut BTreeMap<i32, i64>,
        stop: &AtomicBool,
        each: &mut impl FnMut(Message<'_>),
    ) -> Result<End, LogError> {
        let mut heard = Instant::now();
        let mut last_error = None;
        while !open.is_empty() {
            if stop.load(Ordering::Relaxed) {
                return Ok(End::Stopped);
            }
            let finished = match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    self.take(&message, open, each)
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    heard = Instant::now();
                    Some(partition)
                }
                Some(Err(error)) if is_final(&error) => return Err(self.failed(&error)),
                Some(Err(error)) => {
                    last_error = Some(error.to_string());
                    None
                }
                None => None,
            };
            if let Some(partition) = finished
                && open.remove(&partition).is_some()
            {
                let list = self.list([(partition, Offset::Invalid)])?;
                let unassigned = self.consumer.incremental_unassign(&list);
                unassigned.map_err(|error| self.failed(&error))?;
            }
            if heard.elapsed() > SILENCE {
                let silent = format!("no record for {} s", SILENCE.as_secs());
                return Err(LogError::Unreachable {
                    brokers: self.brokers.clone(),
                    cause: last_error.unwrap_or(silent),
                });
            }
        }
        Ok(End::Whole)
    }

    /// The partition, if this was the last of its span.
    fn take(
        &self,
        message: &BorrowedMessage<'_>,
        open: &BTreeMap<i32, i64>,
        each: &mut impl FnMut(Message<'_>),
    ) -> Option<i32> {
        let (partition, offset) = (message.partition(), message.offset());
        // One that was given back may still have records in librdkafka's queue.
        let to = *open.get(&partition)?;
        if offset < to {
            each(Message {
                topic: &self.topic,
                partition,
                offset,
                broker_millis: message.timestamp().to_millis().unwrap_or(-1),
                bytes: message.payload().unwrap_or_default(),
            });
        }
        (offset + 1 >= to).then_some(partition)
    }

    fn list(
        &self,
        partitions: impl IntoIterator<Item = (i32, Offset)>,
    ) -> Result<TopicPartitionList, LogError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            list.add_partition_offset(&self.topic, partition, offset)
                .map_err(|error| self.failed(&error))?;
        }
        Ok(list)
    }

    fn failed(&self, error: &KafkaError) -> LogError {
        let cause = error.to_string();
        if is_final(error) {
            let topic = self.topic.clone();
            return LogError::Refused { topic, cause };
        }
        LogError::Unreachable {
            brokers: self.brokers.clone(),
            cause,
        }
    }
}

/// The next record that a loader takes. A committed offset beyond the end belongs to an older log of
/// that name, and the loader begins at the beginning.
#[must_use]
pub fn next_to_load(committed: Option<i64>, low: i64, high: i64) -> i64 {
    let committed = committed.filter(|committed| *committed <= high);
    committed.unwrap_or(low)
}

/// Those that are known.
fn offsets(list: &TopicPartitionList) -> BTreeMap<i32, i64> {
    let offset = |offset| match offset {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    };
    let elements = list.elements();
    let known = elements.iter();
    known
        .filter_map(|element| Some((element.partition(), offset(element.offset())?)))
        .collect()
}

/// What waiting does not change.
fn is_final(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::Authentication
        )
    )
}
