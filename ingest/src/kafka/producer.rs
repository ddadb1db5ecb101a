//! librdkafka's producer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postback_common::config::Settings;
use postback_service::kafka::{KafkaMetrics, explain, producer_config};
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
        let config = producer_config(settings, "postback-ingest");
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
