//! What is shown of the endpoints: `postback_endpoint_…`, by source of the configuration.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use postback_service::metrics::Metrics;
use postback_service::metrics::prometheus_client::metrics::counter::Counter;
use postback_service::metrics::prometheus_client::metrics::family::Family;
use postback_service::metrics::prometheus_client::metrics::gauge::Gauge;
use postback_store::endpoints::State;

use crate::metrics::unix_seconds;

/// Names and values. Sources are those of the configuration, results are few.
type Labels = Vec<(&'static str, String)>;
type Seconds = Gauge<f64, AtomicU64>;

fn of(source: &str) -> Labels {
    vec![("source", source.to_owned())]
}

fn by_result(source: &str, result: &str) -> Labels {
    vec![("source", source.to_owned()), ("result", result.to_owned())]
}

/// All handles. Cloning shares them. They move only in the process that coordinates.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndpointMetrics {
    enabled: Family<Labels, Gauge>,
    last_success: Family<Labels, Seconds>,
    polls: Family<Labels, Counter>,
    probes: Family<Labels, Counter>,
    reenabled: Family<Labels, Counter>,
    heals: Family<Labels, Counter>,
    healed: Family<Labels, Counter>,
    lost_from: Family<Labels, Seconds>,
}

impl EndpointMetrics {
    /// Registers them.
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        let all = Self::default();
        let part = metrics.part("endpoint");
        let help = "1 while the network says that it sends to the endpoint, 0 while it does not; absent while it does not say";
        part.register("enabled", help, all.enabled.clone());
        let help = "When the network's API last said whether the endpoint is on; 0 for never";
        part.register(
            "last_success_timestamp_seconds",
            help,
            all.last_success.clone(),
        );
        let help = "Questions to the network's API, by what it said";
        part.register("polls", help, all.polls.clone());
        let help = "Test postbacks to disabled endpoints, by result";
        part.register("probes", help, all.probes.clone());
        let help = "How often Postback switched the endpoint on again";
        part.register("reenabled", help, all.reenabled.clone());
        let help = "Backfills without being asked, by result";
        part.register("heals", help, all.heals.clone());
        let help = "Missed transactions that were fetched without being asked";
        part.register("healed_transactions", help, all.healed.clone());
        let help = "When the network begins to drop what was missed and is not fetched; absent while nothing is";
        part.register("lost_from_timestamp_seconds", help, all.lost_from.clone());
        all
    }

    /// When the API last said anything, as far as the tables know.
    pub(super) fn known_at(&self, source: &str, at: Option<Timestamp>) {
        let labels = of(source);
        let last = self.last_success.get_or_create(&labels);
        last.set(at.map_or(0.0, unix_seconds));
        self.reenabled.get_or_create(&labels).inc_by(0);
    }

    /// A poll.
    pub(super) fn polled(&self, source: &str, state: State, at: Timestamp) {
        let labels = of(source);
        self.polls
            .get_or_create(&by_result(source, state.as_str()))
            .inc();
        if state == State::Unknown {
            self.enabled.remove(&labels);
            return;
        }
        let enabled = self.enabled.get_or_create(&labels);
        enabled.set(i64::from(state == State::Active));
        self.last_success
            .get_or_create(&labels)
            .set(unix_seconds(at));
    }

    /// A test postback to a disabled endpoint.
    pub(super) fn probed(&self, source: &str, is_answered: bool) {
        let result = if is_answered { "answered" } else { "failed" };
        self.probes.get_or_create(&by_result(source, result)).inc();
    }

    /// The endpoint was switched on.
    pub(super) fn reenabled(&self, source: &str) {
        self.reenabled.get_or_create(&of(source)).inc();
    }

    /// A backfill has ended; `Some`: with so many missed transactions.
    pub(super) fn healed(&self, source: &str, transactions: Option<u64>) {
        let result = if transactions.is_some() {
            "done"
        } else {
            "failed"
        };
        self.heals.get_or_create(&by_result(source, result)).inc();
        let healed = self.healed.get_or_create(&of(source));
        healed.inc_by(transactions.unwrap_or(0));
    }

    /// When the network begins to drop what is missing.
    pub(super) fn lost_from(&self, source: &str, at: Option<Timestamp>) {
        match at {
            Some(at) => {
                self.lost_from
                    .get_or_create(&of(source))
                    .set(unix_seconds(at));
            }
            None => {
                self.lost_from.remove(&of(source));
            }
        }
    }

    /// What is known may be known no more.
    pub(super) fn forget(&self) {
        self.enabled.clear();
        self.last_success.clear();
        self.lost_from.clear();
    }
}
