//! Sorts what librdkafka says, on a worker of the runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postback_service::kafka::{Bootstrap, ClientEvents, is_refused_for_itself};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;
use tokio::sync::Notify;

use super::silence::Tally;
use super::turns::Turns;
use crate::confirmation::{Unconfirmed, Waiting};
use crate::metrics::{CodeLabel, DeliveryMetrics};

/// Hears librdkafka's events, statistics and delivery reports.
pub(super) struct Reports {
    pub(super) events: ClientEvents,
    pub(super) bootstrap: Bootstrap,
    pub(super) metrics: DeliveryMetrics,
    /// Which partition a record goes to; `None` lets librdkafka choose.
    pub(super) turns: Option<Turns>,
    /// A confirmation that takes longer is late.
    pub(super) late_after: Duration,
    /// Kafka has given the producer its id; before that librdkafka sends nothing.
    pub(super) has_producer_id: AtomicBool,
    /// Shows whether Kafka confirms anything.
    pub(super) tally: Arc<Tally>,
    /// Told when a look at topic and client is worth while.
    pub(super) trouble: Arc<Notify>,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.events.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.trouble.notify_one();
        }
        self.events.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let state = statistics.eos.as_ref().map(|eos| &*eos.idemp_state);
        self.has_producer_id
            .store(state == Some("Assigned"), Ordering::Relaxed);
        self.bootstrap.see(&statistics);
        self.events.stats(statistics);
    }
}

impl ProducerContext<Turns> for Reports {
    type DeliveryOpaque = Box<Waiting>;

    fn get_custom_partitioner(&self) -> Option<&Turns> {
        self.turns.as_ref()
    }

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Box<Waiting>) {
        // Counted first: whoever has an answer finds it in the metrics.
        self.metrics.open.dec();
        match result {
            Ok(_) => {
                let waited = waiting.waited();
                self.tally.confirm();
                self.metrics.seconds.observe(waited);
                if waited > self.late_after {
                    self.metrics.late.inc();
                }
                waiting.tell_after(waited, Ok(()));
            }
            Err((error, _)) => {
                let code = error_code(error);
                let failures = &self.metrics.failures;
                failures
                    .get_or_create(&CodeLabel { code: code.clone() })
                    .inc();
                let outcome = if is_refused_for_itself(error) {
                    Unconfirmed::Refused(code)
                } else {
                    self.tally.fail(&code);
                    self.trouble.notify_one();
                    Unconfirmed::Failed(code)
                };
                waiting.tell(Err(outcome));
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
