//! What upkeep shows: `postback_verify_…`, and how long the topic keeps records.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use postback_service::metrics::Metrics;
use postback_service::metrics::prometheus_client::metrics::counter::Counter;
use postback_service::metrics::prometheus_client::metrics::gauge::Gauge;
use postback_service::topic::Kept;

use super::seconds;
use super::spot_check::Look;
use crate::metrics::unix_seconds;

/// All handles. Cloning shares them. They move only in the process that coordinates.
#[derive(Debug, Clone, Default)]
pub(crate) struct UpkeepMetrics {
    checked: Counter,
    missing: Gauge<u64, AtomicU64>,
    last_success: Gauge<f64, AtomicU64>,
    retention: Gauge<f64, AtomicU64>,
}

impl UpkeepMetrics {
    /// Registers them.
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        let all = Self::default();
        let part = metrics.part("verify");
        let help = "Records of the topic that were looked for in the table";
        part.register("checked_records", help, all.checked.clone());
        let help = "Records of the last look that count as loaded and have no row";
        part.register("missing_records", help, all.missing.clone());
        let help = "When samples of the topic were last compared with the table; 0 for never";
        part.register(
            "last_success_timestamp_seconds",
            help,
            all.last_success.clone(),
        );
        let part = metrics.part("topic");
        let help = "How long the topic keeps records; 0 while it is not known";
        part.register("retention_seconds", help, all.retention.clone());
        all
    }

    /// Samples were compared.
    pub(super) fn looked(&self, look: &Look, now: Timestamp) {
        self.checked.inc_by(look.checked);
        self.missing.set(look.missing.len() as u64);
        self.last_success.set(unix_seconds(now));
    }

    /// The broker's word.
    pub(super) fn topic_keeps(&self, kept: Option<Kept>) {
        self.retention.set(kept.map_or(0.0, seconds));
    }
}
