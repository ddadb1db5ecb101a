//! Reads stretches of a topic's log: no group, no commit, nothing that anybody else notices.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postback_common::config::KafkaSettings;
use postback_common::record::Message;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::metadata::MetadataPartition;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::explain;
use super::reader::{Amount, reader_config};

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
    /// The brokers answer, and will not tell a group's offsets.
    #[error("Kafka does not let group {group} be asked: {cause}")]
    GroupRefused {
        /// The group.
        group: String,
        /// Kafka's words.
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
            Self::GroupRefused { .. } => {
                "allow the user in kafka.options to Read the groups whose names begin with consumer.group"
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

/// How far a span is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// To its end.
    End,
    /// To the first record in it.
    FirstRecord,
}

/// Reads one topic. All functions block.
pub struct LogReader {
    consumer: BaseConsumer,
    /// Whose offsets are asked for; none where nothing of a group is.
    group: Option<String>,
    topic: String,
    brokers: String,
}

impl LogReader {
    /// Makes a client. Connects in the background.
    ///
    /// # Errors
    /// [`LogError::Options`]
    pub fn open(
        settings: &KafkaSettings,
        topic: &str,
        client_id: &str,
        amount: Amount,
    ) -> Result<Self, LogError> {
        // librdkafka asks for a group; this one is neither joined nor written, and no right to it is
        // needed: where reading begins is always said.
        Self::make(settings, topic, client_id, None, amount)
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
        amount: Amount,
    ) -> Result<Self, LogError> {
        Self::make(settings, topic, client_id, Some(group), amount)
    }

    fn make(
        settings: &KafkaSettings,
        topic: &str,
        client_id: &str,
        group: Option<&str>,
        amount: Amount,
    ) -> Result<Self, LogError> {
        let config = reader_config(settings, client_id, group.unwrap_or(client_id), amount);
        let consumer = config
            .create()
            .map_err(|error| LogError::Options(explain(settings, &error)))?;
        Ok(Self {
            consumer,
            group: group.map(str::to_owned),
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
        known.map_err(|error| self.failed(&group_error(&self.consumer).unwrap_or(error)))
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
        self.read_spans(spans, stop, Until::End, &mut each)
    }

    /// The same, but of each span only the first record that there is, if any.
    ///
    /// # Errors
    /// [`LogError`]; `each` may have been called.
    pub fn read_first(
        &self,
        spans: &[Span],
        stop: &AtomicBool,
        mut each: impl FnMut(Message<'_>),
    ) -> Result<End, LogError> {
        self.read_spans(spans, stop, Until::FirstRecord, &mut each)
    }

    fn read_spans(
        &self,
        spans: &[Span],
        stop: &AtomicBool,
        until: Until,
        each: &mut impl FnMut(Message<'_>),
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
        let ended = self.read_assigned(&mut open, stop, until, each);
        let unassigned = self.consumer.unassign();
        let ended = ended?;
        unassigned.map_err(|error| self.failed(&error))?;
        Ok(ended)
    }

    fn read_assigned(
        &self,
        open: &mut BTreeMap<i32, i64>,
        stop: &AtomicBool,
        until: Until,
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
                    self.take(&message, open, until, each)
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    heard = Instant::now();
                    Some(partition)
                }
                Some(Err(error)) if self.is_final(&error) => return Err(self.failed(&error)),
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

    /// The partition, if this was the last that is wanted of its span.
    fn take(
        &self,
        message: &BorrowedMessage<'_>,
        open: &BTreeMap<i32, i64>,
        until: Until,
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
        let is_last = until == Until::FirstRecord || offset + 1 >= to;
        is_last.then_some(partition)
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

    /// What waiting does not change. Whoever asks for nothing of a group needs no right to it.
    fn is_final(&self, error: &KafkaError) -> bool {
        is_final(error) || (self.group.is_some() && is_of_group(error))
    }

    fn failed(&self, error: &KafkaError) -> LogError {
        let cause = error.to_string();
        if let (Some(group), true) = (&self.group, is_of_group(error)) {
            let group = group.clone();
            return LogError::GroupRefused { group, cause };
        }
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

/// Why a group could not be asked. Where the user may not, librdkafka says so once, as an event, and
/// to the question it says that the time is over.
pub(super) fn group_error(consumer: &BaseConsumer) -> Option<KafkaError> {
    let events = std::iter::from_fn(|| consumer.poll(Duration::ZERO));
    events.filter_map(Result::err).find(is_of_group)
}

/// This user may not have to do with the group.
fn is_of_group(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
}

/// What waiting does not change, about the topic or the user.
fn is_final(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::Authentication
        )
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rdkafka::ClientConfig;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;

    /// A cluster that refuses every question about a group, and a topic of two partitions with so many
    /// records in each.
    fn cluster(records: [i64; 2]) -> (MockCluster<'static, DefaultProducerContext>, KafkaSettings) {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 2, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .create()
            .unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            for (partition, records) in (0..).zip(records) {
                for number in 0..records {
                    let value = number.to_string();
                    let record = FutureRecord::<(), _>::to("t").partition(partition);
                    let sent = producer.send(record.payload(&value), ANSWER_WITHIN);
                    sent.await.unwrap();
                }
            }
        });
        let refuses = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 1_000];
        cluster.request_errors(RDKafkaApiKey::FindCoordinator, &refuses);
        let text = format!("[kafka]\nbrokers = \"{brokers}\"\n");
        let settings = postback_common::config::read(Path::new("t.toml"), &text, []).unwrap();
        (cluster, settings.kafka)
    }

    fn span(partition: i32, from: i64, to: i64) -> Span {
        Span {
            partition,
            from,
            to,
        }
    }

    #[test]
    fn reading_needs_no_right_to_a_group() {
        let (_cluster, settings) = cluster([3, 0]);
        let reader = LogReader::open(&settings, "t", "postback-verify", Amount::Stretches).unwrap();
        let mut read = Vec::new();
        let ended = reader.read(&[span(0, 1, 3)], &AtomicBool::new(false), |message| {
            read.push((message.offset, message.bytes.to_vec()));
        });
        assert_eq!(ended, Ok(End::Whole));
        assert_eq!(read, [(1, b"1".to_vec()), (2, b"2".to_vec())]);
    }

    #[test]
    fn a_group_that_may_not_be_asked_is_named() {
        let (_cluster, settings) = cluster([1, 0]);
        let reader =
            LogReader::of_group(&settings, "t", "postback-lag", "loader-g1", Amount::Few).unwrap();
        let error = reader.committed(&[0]).unwrap_err();
        let said = format!("{error}: {}", error.remedy());
        assert!(
            said.contains("loader-g1") && said.contains("Read the groups whose names begin with"),
            "{said}"
        );
    }

    #[test]
    fn the_first_record_of_each_span_is_read_wherever_it_stands() {
        let (_cluster, settings) = cluster([4, 2]);
        let reader = LogReader::open(&settings, "t", "postback-watch", Amount::Few).unwrap();
        let mut read = Vec::new();
        let spans = [span(0, 2, 4), span(1, 0, 2)];
        let ended = reader.read_first(&spans, &AtomicBool::new(false), |message| {
            read.push((message.partition, message.offset));
        });
        read.sort_unstable();
        assert_eq!(ended, Ok(End::Whole));
        assert_eq!(read, [(0, 2), (1, 0)]);
        // Nothing but holes up to the end.
        let mut read = 0;
        let ended = reader.read_first(&[span(1, 2, 5)], &AtomicBool::new(false), |_| read += 1);
        assert_eq!((ended, read), (Ok(End::Whole), 0));
    }
}
