//! librdkafka's producer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use postback_common::config::{KafkaSettings, Settings};
use postback_service::kafka::{KafkaMetrics, explain, producer_config};
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::delivery::{Reports, error_code};
use super::turns::Turns;
use super::{NotTaken, Producer};
use crate::confirmation::Waiting;
use crate::metrics::DeliveryMetrics;
use crate::topic_watch::{Sight, TopicSight};

type Client = ThreadedProducer<Reports, Turns>;

/// The producer of raw records. Its client is replaced when it has given itself up: after what
/// librdkafka calls a fatal error, an idempotent producer takes nothing any more.
pub struct KafkaProducer {
    settings: KafkaSettings,
    config: ClientConfig,
    kafka: KafkaMetrics,
    metrics: DeliveryMetrics,
    late_after: Duration,
    trouble: Arc<Notify>,
    client: ArcSwap<Client>,
    /// Held while a new client is made, so that there is one.
    rebuilding: Mutex<()>,
}

impl KafkaProducer {
    /// Makes the client; connecting goes on in its background.
    ///
    /// # Errors
    /// librdkafka's words, without secrets, when it refuses an option.
    pub fn new(
        settings: &Settings,
        kafka: KafkaMetrics,
        metrics: DeliveryMetrics,
    ) -> Result<Self, String> {
        let mut config = producer_config(settings, "postback-ingest");
        if !chooses_partitions(&settings.kafka) {
            // librdkafka asks nobody while it keeps to a partition of its own choice.
            config.set("sticky.partitioning.linger.ms", "0");
        }
        let late_after = settings.ingest.kafka_wait;
        let trouble = Arc::new(Notify::new());
        let turns = turns(&settings.kafka, &config);
        let reports = Reports::new(&kafka, &metrics, turns, late_after, &trouble);
        let client = Client::from_config_and_context(&config, reports);
        let client = client.map_err(|error| explain(&settings.kafka, &error))?;
        Ok(Self {
            settings: settings.kafka.clone(),
            config,
            kafka,
            metrics,
            late_after,
            trouble,
            client: ArcSwap::from_pointee(client),
            rebuilding: Mutex::default(),
        })
    }

    /// Waits until Kafka has said of every record what became of it. Blocks.
    ///
    /// Returns how many records it still had not heard of when the time was up.
    #[must_use]
    pub fn flush(&self, within: Duration) -> usize {
        // The number says all that the error would. librdkafka's own counts its events as well.
        drop(self.client.load().flush(within));
        usize::try_from(self.metrics.open.get()).unwrap_or(0)
    }

    /// Replaces the client if it has given itself up. What the old one still had is told
    /// undelivered. Blocks for a moment.
    fn rebuild(&self) {
        let _one = self
            .rebuilding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.client.load().client().fatal_error().is_none() {
            return;
        }
        let turns = turns(&self.settings, &self.config);
        let reports = Reports::new(
            &self.kafka,
            &self.metrics,
            turns,
            self.late_after,
            &self.trouble,
        );
        match Client::from_config_and_context(&self.config, reports) {
            Ok(client) => {
                self.metrics.rebuilds.inc();
                info!("Kafka's client was made anew after a fatal error");
                let old = self.client.swap(Arc::new(client));
                // Its end purges its queue, which takes up to half a second.
                let ending = std::thread::Builder::new().name("kafka-old".to_owned());
                if let Err(error) = ending.spawn(move || drop(old)) {
                    warn!(%error, "the old client ends here");
                }
            }
            Err(error) => {
                let error = explain(&self.settings, &error);
                warn!(error, "Kafka's client cannot be made anew");
            }
        }
    }
}

impl Reports {
    fn new(
        kafka: &KafkaMetrics,
        metrics: &DeliveryMetrics,
        turns: Option<Turns>,
        late_after: Duration,
        trouble: &Arc<Notify>,
    ) -> Self {
        Self {
            events: kafka.client("ingest"),
            metrics: metrics.clone(),
            turns,
            late_after,
            has_producer_id: AtomicBool::new(false),
            trouble: Arc::clone(trouble),
        }
    }
}

impl Producer for KafkaProducer {
    fn offer(&self, record: &[u8], waiting: Waiting) -> Result<(), NotTaken> {
        let topic = &self.settings.topic;
        let client = self.client.load();
        if let Some(turns) = &client.context().turns {
            turns.offered(waiting.since());
        }
        let message = BaseRecord::<(), [u8], _>::with_opaque_to(topic, Box::new(waiting));
        // Before it is sent: its delivery may be reported before this thread goes on.
        self.metrics.open.inc();
        let sent = client.send(message.payload(record));
        sent.map_err(|(error, _)| {
            self.metrics.open.dec();
            not_taken(&error)
        })
    }
}

/// `None` leaves the choice of partitions to the operator's options.
fn turns(settings: &KafkaSettings, config: &ClientConfig) -> Option<Turns> {
    (!chooses_partitions(settings)).then(|| Turns::of(config))
}

/// Whether the operator says how partitions are chosen.
fn chooses_partitions(settings: &KafkaSettings) -> bool {
    let choices = ["partitioner", "sticky.partitioning.linger.ms"];
    choices
        .iter()
        .any(|option| settings.options.contains_key(*option))
}

fn not_taken(error: &KafkaError) -> NotTaken {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => NotTaken::QueueFull,
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
            NotTaken::NoTopic
        }
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => NotTaken::TooLarge,
        _ => NotTaken::Refused(error_code(error)),
    }
}

impl TopicSight for KafkaProducer {
    /// Asks through the producer's own connection, so that a topic that was made meanwhile is known
    /// to the producer as soon as it is seen here.
    fn look(&self, within: Duration) -> Sight {
        self.rebuild();
        let client = self.client.load_full();
        let client = client.client();
        if let Some((code, text)) = client.fatal_error() {
            return Sight::Broken(format!("{code:?}: {text}"));
        }
        let topic = &self.settings.topic;
        let brokers = self.settings.brokers.join(",");
        let metadata = match client.fetch_metadata(Some(topic), within) {
            Ok(metadata) => metadata,
            Err(error) => {
                let cause = error_code(&error);
                return Sight::NoAnswer(format!("Kafka at {brokers} does not answer ({cause})"));
            }
        };
        let found = metadata.topics().iter().find(|t| t.name() == topic);
        match found.map(|topic| topic.error().map(RDKafkaErrorCode::from)) {
            Some(None) if client.context().has_producer_id.load(Ordering::Relaxed) => {
                Sight::Present
            }
            Some(None) => Sight::NoAnswer(format!(
                "Kafka at {brokers} has not given the producer its id yet"
            )),
            None
            | Some(Some(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
            )) => Sight::Missing,
            Some(Some(code)) => Sight::NoAnswer(format!("topic {topic}: {code:?}")),
        }
    }

    fn trouble(&self) -> Arc<Notify> {
        Arc::clone(&self.trouble)
    }
}
