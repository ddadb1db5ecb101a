//! From handing a record over to hearing what became of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postback_service::kafka::ClientEvents;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;
use tokio::sync::oneshot;
use tracing::debug;

use crate::metrics::{CodeLabel, DeliveryMetrics};

/// Resolves once: confirmed by Kafka, or [`Undelivered`]. Dropping it forgets nothing but the answer:
/// the record stays on its way.
#[derive(Debug)]
pub struct Confirmation(oneshot::Receiver<Result<(), Undelivered>>);

/// Kafka did not confirm the record. After a time-out that means *unknown*: it may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Kafka did not confirm the record")]
pub struct Undelivered;

/// The other end of a [`Confirmation`].
#[derive(Debug)]
pub struct Waiting {
    since: Instant,
    told: oneshot::Sender<Result<(), Undelivered>>,
}

impl Confirmation {
    /// A pair that belongs together.
    #[must_use]
    pub fn pair() -> (Waiting, Self) {
        let (told, hears) = oneshot::channel();
        let since = Instant::now();
        (Waiting { since, told }, Self(hears))
    }

    /// Waits for Kafka's word.
    ///
    /// # Errors
    /// [`Undelivered`]
    pub async fn heard(self) -> Result<(), Undelivered> {
        self.0.await.unwrap_or(Err(Undelivered))
    }
}

impl Waiting {
    /// Time since the record was handed over.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// Tells whoever still waits.
    pub fn tell(self, result: Result<(), Undelivered>) {
        let waited = self.waited();
        if self.told.send(result).is_err() {
            debug!(?waited, ?result, "Kafka's word came after the answer");
        }
    }
}

/// Sorts delivery reports, on the producer's polling thread.
pub(super) struct Reports {
    pub(super) events: ClientEvents,
    pub(super) metrics: DeliveryMetrics,
    /// A confirmation that takes longer is late.
    pub(super) late_after: Duration,
    /// Kafka has given the producer its id; before that librdkafka sends nothing.
    pub(super) has_producer_id: AtomicBool,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.events.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let state = statistics.eos.as_ref().map(|eos| &*eos.idemp_state);
        self.has_producer_id
            .store(state == Some("Assigned"), Ordering::Relaxed);
        self.events.stats(statistics);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Waiting>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Box<Waiting>) {
        // Counted first: whoever has an answer finds it in the metrics.
        self.metrics.open.dec();
        match result {
            Ok(_) => {
                let waited = waiting.waited();
                self.metrics.seconds.observe(waited);
                if waited > self.late_after {
                    self.metrics.late.inc();
                }
                waiting.tell(Ok(()));
            }
            Err((error, _)) => {
                let code = error_code(error);
                let failures = &self.metrics.failures;
                failures.get_or_create(&CodeLabel { code }).inc();
                waiting.tell(Err(Undelivered));
            }
        }
    }
}

/// librdkafka's name of an error.
pub(super) fn error_code(error: &KafkaError) -> String {
    error
        .rdkafka_error_code()
        .map_or_else(|| "Unknown".to_owned(), |code| format!("{code:?}"))
}
