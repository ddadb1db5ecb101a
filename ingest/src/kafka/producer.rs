//! librdkafka's producer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use postback_common::config::{KafkaSettings, Settings};
use postback_service::kafka::{Bootstrap, KafkaMetrics, explain, producer_config};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::producer::{BaseRecord, Producer as _};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::client::Client;
use super::delivery::{Reports, error_code};
use super::silence::{Silence, Tally};
use super::turns::Turns;
use super::{NotTaken, Producer};
use crate::confirmation::Waiting;
use crate::metrics::DeliveryMetrics;
use crate::topic_watch::{Sight, TopicSight};

/// Its name in metrics and logs.
const CLIENT: &str = "ingest";

/// The producer of raw records. Its client is replaced when it has given itself up: after what
/// librdkafka calls a fatal error, an idempotent producer takes nothing any more.
pub struct KafkaProducer {
    settings: KafkaSettings,
    config: ClientConfig,
    kafka: KafkaMetrics,
    metrics: DeliveryMetrics,
    late_after: Duration,
    trouble: Arc<Notify>,
    /// Of all clients, one after the other.
    tally: Arc<Tally>,
    silence: Mutex<Silence>,
    client: ArcSwap<Client>,
    /// Hears every client.
    runtime: Handle,
    /// Held while a new client is made, so that there is one.
    rebuilding: Mutex<()>,
}

impl KafkaProducer {
    /// Makes the client; connecting goes on in its background. Must be called inside a tokio runtime,
    /// which hears what becomes of records.
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
        let tally = Arc::new(Tally::default());
        let turns = turns(&settings.kafka, &config);
        let reports = Reports::new(
            &settings.kafka,
            &kafka,
            &metrics,
            turns,
            late_after,
            &trouble,
            &tally,
        );
        let runtime = Handle::current();
        let client = Client::start(&config, reports, &runtime);
        let client = client.map_err(|error| explain(&settings.kafka, &error))?;
        Ok(Self {
            settings: settings.kafka.clone(),
            config,
            kafka,
            metrics,
            late_after,
            trouble,
            tally,
            silence: Mutex::default(),
            client: ArcSwap::new(client),
            runtime,
            rebuilding: Mutex::default(),
        })
    }

    /// Waits until Kafka has said of every record what became of it. Blocks.
    ///
    /// Returns how many records it still had not heard of when the time was up.
    #[must_use]
    pub fn flush(&self, within: Duration) -> usize {
        // The number says all that the error would. librdkafka's own counts its events as well.
        drop(self.client.load().producer().flush(within));
        usize::try_from(self.metrics.open.get()).unwrap_or(0)
    }

    /// Replaces the client if it has given itself up. What the old one still had is told
    /// undelivered. Blocks for a moment.
    fn rebuild(&self) {
        let _one = self
            .rebuilding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self
            .client
            .load()
            .producer()
            .client()
            .fatal_error()
            .is_none()
        {
            return;
        }
        let turns = turns(&self.settings, &self.config);
        let reports = Reports::new(
            &self.settings,
            &self.kafka,
            &self.metrics,
            turns,
            self.late_after,
            &self.trouble,
            &self.tally,
        );
        match Client::start(&self.config, reports, &self.runtime) {
            Ok(client) => {
                self.metrics.rebuilds.inc();
                info!("Kafka's client was made anew after a fatal error");
                let old = self.client.swap(client);
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
        settings: &KafkaSettings,
        kafka: &KafkaMetrics,
        metrics: &DeliveryMetrics,
        turns: Option<Turns>,
        late_after: Duration,
        trouble: &Arc<Notify>,
        tally: &Arc<Tally>,
    ) -> Self {
        Self {
            events: kafka.client(CLIENT),
            bootstrap: Bootstrap::new(CLIENT, settings),
            metrics: metrics.clone(),
            turns,
            late_after,
            has_producer_id: AtomicBool::new(false),
            tally: Arc::clone(tally),
            trouble: Arc::clone(trouble),
        }
    }
}

impl Producer for KafkaProducer {
    fn offer(&self, record: &[u8], waiting: Waiting) -> Result<(), NotTaken> {
        let topic = &self.settings.topic;
        let client = self.client.load();
        let client = client.producer();
        if let Some(turns) = &client.context().turns {
            turns.offered(waiting.since());
        }
        let message = BaseRecord::<(), [u8], _>::with_opaque_to(topic, Box::new(waiting));
        // Before it is sent: its delivery may be reported before this thread goes on.
        self.metrics.open.inc();
        let sent = client.send(message.payload(record));
        sent.map_err(|(error, _)| {
            self.metrics.open.dec();
            let not_taken = not_taken(&error);
            if not_taken != NotTaken::TooLarge {
                self.tally.fail(&error_code(&error));
            }
            not_taken
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

/// The partition that lacks most replicas, if one lacks any.
fn behind(topic: &MetadataTopic) -> Option<String> {
    let lacks = |p: &MetadataPartition| p.replicas().len().saturating_sub(p.isr().len());
    let partition = topic.partitions().iter().max_by_key(|p| lacks(p))?;
    let (replicas, in_sync) = (partition.replicas().len(), partition.isr().len());
    let id = partition.id();
    (in_sync < replicas)
        .then(|| format!("partition {id} has {in_sync} of {replicas} replicas in sync"))
}

impl KafkaProducer {
    /// Asks Kafka for the topic. Where it is there, says which partition lacks replicas, if one does;
    /// the rest is what stands against it.
    fn ask(&self, within: Duration) -> Result<Option<String>, Sight> {
        let client = self.client.load_full();
        let client = client.producer().client();
        if let Some((code, text)) = client.fatal_error() {
            return Err(Sight::Broken(format!("{code:?}: {text}")));
        }
        let topic = &self.settings.topic;
        let brokers = self.settings.brokers.join(",");
        let metadata = match client.fetch_metadata(Some(topic), within) {
            Ok(metadata) => metadata,
            Err(error) => {
                let cause = error_code(&error);
                let why = format!("Kafka at {brokers} does not answer ({cause})");
                return Err(Sight::NoAnswer(why));
            }
        };
        let found = metadata.topics().iter().find(|t| t.name() == topic);
        let Some(found) = found else {
            return Err(Sight::Missing);
        };
        match found.error().map(RDKafkaErrorCode::from) {
            None if client.context().has_producer_id.load(Ordering::Relaxed) => Ok(behind(found)),
            None => Err(Sight::NoAnswer(format!(
                "Kafka at {brokers} has not given the producer its id yet"
            ))),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(Sight::Missing)
            }
            Some(code) => Err(Sight::NoAnswer(format!("topic {topic}: {code:?}"))),
        }
    }
}

impl TopicSight for KafkaProducer {
    /// Asks through the producer's own connection, so that a topic that was made meanwhile is known
    /// to the producer as soon as it is seen here.
    fn look(&self, within: Duration) -> Sight {
        self.rebuild();
        let asked = self.ask(within);
        let seen = self.tally.seen(self.metrics.open.get());
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Ok(behind) if silence.lasts(seen, Instant::now()) => {
                let last = self.tally.last().map(|code| format!("last: {code}"));
                let known: Vec<_> = last.into_iter().chain(behind).collect();
                Sight::Unconfirmed(known.join("; "))
            }
            Ok(_) => {
                if silence.is_unbegun() {
                    self.tally.forget_last();
                }
                Sight::Present
            }
            Err(sight) => {
                silence.forget(seen);
                sight
            }
        }
    }

    fn trouble(&self) -> Arc<Notify> {
        Arc::clone(&self.trouble)
    }
}
