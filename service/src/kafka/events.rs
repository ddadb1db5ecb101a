//! librdkafka's logs, errors and statistics, as events and metrics of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use tracing::{debug, error, info, warn};

use crate::metrics::Metrics;

type Amount = Gauge<u64, AtomicU64>;
type Seconds = Gauge<f64, AtomicU64>;

/// The metrics `postback_kafka_…`, one set for all clients of a process.
#[derive(Debug, Clone)]
pub struct KafkaMetrics {
    errors: Family<ErrorLabels, Counter>,
    queue_messages: Family<ClientLabels, Amount>,
    queue_bytes: Family<ClientLabels, Amount>,
    brokers_up: Family<ClientLabels, Amount>,
    round_trip: Family<ClientLabels, Seconds>,
    retries: Family<ClientLabels, Counter>,
    timeouts: Family<ClientLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClientLabels {
    client: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    client: &'static str,
    /// A name of librdkafka's enum of errors, which bounds it.
    code: String,
}

impl KafkaMetrics {
    /// Registers them.
    pub fn register(metrics: &mut Metrics) -> Self {
        let all = Self {
            errors: Family::default(),
            queue_messages: Family::default(),
            queue_bytes: Family::default(),
            brokers_up: Family::default(),
            round_trip: Family::default(),
            retries: Family::default(),
            timeouts: Family::default(),
        };
        let part = metrics.part("kafka");
        part.register(
            "errors",
            "Errors that librdkafka reported",
            all.errors.clone(),
        );
        let help = "Messages in librdkafka's queue, as of its last statistics";
        part.register("queue_messages", help, all.queue_messages.clone());
        let help = "Bytes in librdkafka's queue, as of its last statistics";
        part.register("queue_bytes", help, all.queue_bytes.clone());
        let help = "Brokers with a working connection, as of the last statistics";
        part.register("brokers_up", help, all.brokers_up.clone());
        let help = "Round trip to the slowest broker, 99th percentile, as of the last statistics";
        part.register("round_trip_seconds", help, all.round_trip.clone());
        let help = "Requests that librdkafka sent again";
        part.register("retries", help, all.retries.clone());
        let help = "Requests that no broker answered in time";
        part.register("request_timeouts", help, all.timeouts.clone());
        all
    }

    /// The context of one client; `client` becomes a label.
    #[must_use]
    pub fn client(&self, client: &'static str) -> ClientEvents {
        let labels = ClientLabels { client };
        ClientEvents {
            client,
            errors: self.errors.clone(),
            queue_messages: self.queue_messages.get_or_create_owned(&labels),
            queue_bytes: self.queue_bytes.get_or_create_owned(&labels),
            brokers_up: self.brokers_up.get_or_create_owned(&labels),
            round_trip: self.round_trip.get_or_create_owned(&labels),
            retries: Total::new(self.retries.get_or_create_owned(&labels)),
            timeouts: Total::new(self.timeouts.get_or_create_owned(&labels)),
        }
    }
}

/// A [`ClientContext`] that turns librdkafka's words into events (target `librdkafka`) and its
/// figures into metrics. Statistics come only with `statistics.interval.ms`.
///
/// A producer or consumer with callbacks of its own holds one and hands `log`, `error` and `stats`
/// on to it.
#[derive(Debug, Clone)]
pub struct ClientEvents {
    client: &'static str,
    errors: Family<ErrorLabels, Counter>,
    queue_messages: Amount,
    queue_bytes: Amount,
    brokers_up: Amount,
    round_trip: Seconds,
    retries: Total,
    timeouts: Total,
}

/// A counter that follows a total of librdkafka's, which begins anew with each client.
#[derive(Debug, Clone)]
struct Total {
    counter: Counter,
    seen: Arc<AtomicU64>,
}

impl Total {
    fn new(counter: Counter) -> Self {
        let seen = Arc::default();
        Self { counter, seen }
    }

    fn follow(&self, total: u64) {
        let seen = self.seen.swap(total, Relaxed);
        // A broker that is gone takes its share along.
        self.counter.inc_by(total.saturating_sub(seen));
    }
}

impl ClientContext for ClientEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let client = self.client;
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => error!(target: "librdkafka", client, facility, "{text}"),
            RDKafkaLogLevel::Warning => warn!(target: "librdkafka", client, facility, "{text}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                info!(target: "librdkafka", client, facility, "{text}");
            }
            RDKafkaLogLevel::Debug => debug!(target: "librdkafka", client, facility, "{text}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error
            .rdkafka_error_code()
            .map_or_else(|| "Unknown".to_owned(), |code| format!("{code:?}"));
        // librdkafka logs the same text; what is new here is the count.
        debug!(target: "librdkafka", client = self.client, code, "{reason}");
        let labels = ErrorLabels {
            client: self.client,
            code,
        };
        self.errors.get_or_create(&labels).inc();
    }

    fn stats(&self, statistics: Statistics) {
        self.queue_messages.set(statistics.msg_cnt);
        self.queue_bytes.set(statistics.msg_size);
        let up = statistics
            .brokers
            .values()
            .filter(|broker| broker.nodeid >= 0 && broker.state == "UP")
            .count();
        self.brokers_up.set(u64::try_from(up).unwrap_or(u64::MAX));
        let brokers = || statistics.brokers.values();
        let slowest = brokers()
            .filter_map(|broker| broker.rtt.as_ref())
            .map(|rtt| rtt.p99);
        let slowest = slowest.max().and_then(|micros| u64::try_from(micros).ok());
        let slowest = Duration::from_micros(slowest.unwrap_or(0));
        self.round_trip.set(slowest.as_secs_f64());
        self.retries
            .follow(brokers().map(|broker| broker.txretries).sum());
        self.timeouts
            .follow(brokers().map(|broker| broker.req_timeouts).sum());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_that_begins_anew_is_followed() {
        let total = Total::new(Counter::default());
        for librdkafkas in [3, 5, 1, 4] {
            total.follow(librdkafkas);
        }
        // 3, and 2 more; a new client's first is lost, then 3 more.
        assert_eq!(total.counter.get(), 8);
    }
}
