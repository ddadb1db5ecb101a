//! What is counted of refusals: all metrics `postback_consumer_refusals_…`.

use std::sync::atomic::AtomicU64;

use postback_service::metrics::Metrics;
use postback_service::metrics::prometheus_client::metrics::counter::Counter;
use postback_service::metrics::prometheus_client::metrics::gauge::Gauge;

/// All handles. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct RefusalMetrics {
    /// Stored.
    pub(crate) loaded: Counter,
    /// Could not be read.
    pub(crate) skipped: Counter,
    /// 1 while ClickHouse is waited for.
    pub(crate) waiting: Gauge,
    /// In Kafka, and not committed.
    pub(crate) lag: Gauge<u64, AtomicU64>,
}

impl RefusalMetrics {
    /// Registers them.
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        let all = Self::default();
        let part = metrics.part("consumer_refusals");
        let help = "Records of refusals loaded: repetitions after a crash or rebalance included";
        part.register("loaded", help, all.loaded.clone());
        let help = "Records of refusals that could not be read";
        part.register("skipped", help, all.skipped.clone());
        let help = "1 while loading refusals waits for ClickHouse";
        part.register("waiting", help, all.waiting.clone());
        let help = "Records of refusals behind the committed offset, of this member's partitions";
        part.register("lag_records", help, all.lag.clone());
        all
    }
}
