//! librdkafka's producer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postback_common::config::Settings;
use postback_service::kafka::{KafkaMetrics, client_config, explain};
use postback_service::topic::record_bytes_max;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};

use super::delivery::{Reports, error_code};
use super::{Confirmation, NotTaken, Producer};
use crate::metrics::IngestMetrics;
use crate::topic_watch::{Sight, TopicSight};

/// The producer of raw records.
pub struct KafkaProducer {
    topic: String,
    brokers: String,
    client: ThreadedProducer<Reports>,
}

impl KafkaProducer {
    /// Makes the client; connecting goes on in its background.
    ///
    /// # Errors
    /// librdkafka's words, without secrets, when it refuses an option.
    pub fn new(
        settings: &Settings,
        kafka: &KafkaMetrics,
        metrics: &IngestMetrics,
    ) -> Result<Self, String> {
        let reports = Reports {
            events: kafka.client("ingest"),
            metrics: metrics.deliveries.clone(),
            late_after: settings.ingest.kafka_wait,
            has_producer_id: AtomicBool::new(false),
        };
        let config = producer_config(settings);
        let client = ThreadedProducer::from_config_and_context(&config, reports);
        Ok(Self {
            topic: settings.kafka.topic.clone(),
            brokers: settings.kafka.brokers.join(","),
            client: client.map_err(|error| explain(&settings.kafka, &error))?,
        })
    }

    /// Waits until Kafka has said of every record what became of it. Blocks.
    ///
    /// Returns how many records it still had not heard of when the time was up.
    #[must_use]
    pub fn flush(&self, within: Duration) -> usize {
        // The number says all that the error would. librdkafka's own counts its events as well.
        drop(self.client.flush(within));
        usize::try_from(self.client.client().context().metrics.open.get()).unwrap_or(0)
    }
}

impl Producer for KafkaProducer {
    fn offer(&self, record: &[u8]) -> Result<Confirmation, NotTaken> {
        let (waiting, confirmation) = Confirmation::pair();
        let message = BaseRecord::<(), [u8], _>::with_opaque_to(&self.topic, Box::new(waiting));
        let open = &self.client.client().context().metrics.open;
        // Before it is sent: its delivery may be reported before this thread goes on.
        open.inc();
        match self.client.send(message.payload(record)) {
            Ok(()) => Ok(confirmation),
            Err((error, _)) => {
                open.dec();
                Err(not_taken(&error))
            }
        }
    }
}

fn not_taken(error: &KafkaError) -> NotTaken {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => NotTaken::QueueFull,
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
            NotTaken::NoTopic
        }
        _ => NotTaken::Refused(error_code(error)),
    }
}

impl TopicSight for KafkaProducer {
    /// Asks through the producer's own connection, so that a topic that was made meanwhile is known
    /// to the producer as soon as it is seen here.
    fn look(&self, within: Duration) -> Sight {
        let client = self.client.client();
        if let Some((code, text)) = client.fatal_error() {
            return Sight::Broken(format!("{code:?}: {text}"));
        }
        let metadata = match client.fetch_metadata(Some(&self.topic), within) {
            Ok(metadata) => metadata,
            Err(error) => {
                let cause = error_code(&error);
                return Sight::NoAnswer(format!(
                    "Kafka at {} does not answer ({cause})",
                    self.brokers
                ));
            }
        };
        let topic = metadata
            .topics()
            .iter()
            .find(|topic| topic.name() == self.topic);
        match topic.map(|topic| topic.error().map(RDKafkaErrorCode::from)) {
            Some(None) if client.context().has_producer_id.load(Ordering::Relaxed) => {
                Sight::Present
            }
            Some(None) => Sight::NoAnswer(format!(
                "Kafka at {} has not given the producer its id yet",
                self.brokers
            )),
            None
            | Some(Some(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
            )) => Sight::Missing,
            Some(Some(code)) => Sight::NoAnswer(format!("topic {}: {code:?}", self.topic)),
        }
    }
}

/// librdkafka's settings for the promise, and the measured ones for its price.
#[must_use]
pub fn producer_config(settings: &Settings) -> ClientConfig {
    let mut config = client_config(&settings.kafka, "postback-ingest");
    let promised = [
        // Confirmed means: every in-sync replica has it, once.
        ("acks", "all"),
        ("enable.idempotence", "true"),
        // The most that idempotence allows.
        ("max.in.flight.requests.per.connection", "5"),
        // 503 was said long before, but the sender may not send again: whatever Kafka can still take
        // within this time lands there, as the same record.
        ("message.timeout.ms", "60000"),
        // Bounds the memory of an outage; beyond it a postback is refused at once.
        ("queue.buffering.max.messages", "50000"),
        ("queue.buffering.max.kbytes", "65536"),
    ];
    let measured = [
        // 0 and 1 make the broker thread spin when five requests are in flight.
        ("linger.ms", "2"),
        ("compression.type", "lz4"),
        ("statistics.interval.ms", "1000"),
    ];
    let largest = record_bytes_max(&settings.ingest).to_string();
    let largest = [("message.max.bytes", largest.as_str())];
    for (option, value) in promised.into_iter().chain(measured).chain(largest) {
        let given = settings.kafka.options.contains_key(option);
        if !given {
            config.set(option, value);
        }
    }
    config
}
