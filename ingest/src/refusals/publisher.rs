//! Brings records of refusals to Kafka, or drops them.

use std::time::Duration;

use postback_common::config::KafkaSettings;
use postback_service::kafka::{Bootstrap, client_config, explain};
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::{Noted, Pending};

/// Its name in the log.
const CLIENT: &str = "refusals";

/// At the end, how long Kafka is waited for.
pub const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// Publishes what comes until nothing can come any more, and then what is still on its way.
pub async fn publish(mut records: mpsc::Receiver<Noted>, settings: KafkaSettings) {
    // A producer costs threads and connections, and there may never be a refusal.
    let Some(first) = records.recv().await else {
        return;
    };
    let producer = ThreadedProducer::from_config_and_context(
        &config(&settings),
        Reports(Bootstrap::new(CLIENT, &settings)),
    );
    let producer: ThreadedProducer<Reports> = match producer {
        Ok(producer) => producer,
        Err(error) => {
            let error = explain(&settings, &error);
            return warn!("refusals are not recorded: Kafka's client cannot be made: {error}");
        }
    };
    let topic = &settings.refused_topic;
    send(&producer, topic, first);
    let client = producer.client();
    tokio::select! {
        () = send_all(&mut records, &producer, topic) => {}
        never = client.context().0.keep(client) => match never {},
    }
    let flushing = tokio::task::spawn_blocking(move || producer.flush(FLUSH_WITHIN));
    if let Ok(Err(error)) = flushing.await {
        debug!(%error, "records of refusals are dropped");
    }
}

async fn send_all(
    records: &mut mpsc::Receiver<Noted>,
    producer: &ThreadedProducer<Reports>,
    topic: &str,
) {
    while let Some(noted) = records.recv().await {
        send(producer, topic, noted);
    }
}

/// What librdkafka does not take, it gives back, and dropping it counts it.
fn send(producer: &ThreadedProducer<Reports>, topic: &str, noted: Noted) {
    let Noted { record, pending } = noted;
    let message = BaseRecord::<(), [u8], _>::with_opaque_to(topic, Box::new(pending));
    if let Err((error, _)) = producer.send(message.payload(&record)) {
        debug!(%error, "the record of a refusal is dropped");
    }
}

/// A small queue that gives up early: a record that comes too late tells nobody anything, and its
/// number is not lost. What the operator tunes for the producer of postbacks does not apply.
#[must_use]
pub fn config(settings: &KafkaSettings) -> ClientConfig {
    let mut config = client_config(settings, "postback-ingest-refusals");
    for (option, value) in [
        // Nothing is promised; the leader's word will do.
        ("acks", "1"),
        ("enable.idempotence", "false"),
        ("message.timeout.ms", "5000"),
        ("queue.buffering.max.messages", "1000"),
        ("queue.buffering.max.kbytes", "4096"),
        ("linger.ms", "100"),
        ("compression.type", "lz4"),
        // Rarely: they only show whether it has a broker to ask.
        ("statistics.interval.ms", "5000"),
    ] {
        config.set(option, value);
    }
    config
}

/// The producer of postbacks says already when something is wrong with Kafka.
struct Reports(Bootstrap);

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        debug!(target: "librdkafka", ?level, facility, client = CLIENT, "{text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", %error, client = CLIENT, "{reason}");
    }

    fn stats(&self, statistics: Statistics) {
        self.0.see(&statistics);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Box<Pending>) {
        match result {
            Ok(_) => pending.published(),
            Err((error, _)) => debug!(%error, "the record of a refusal is dropped"),
        }
    }
}
