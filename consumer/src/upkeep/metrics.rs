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

/// All handles. Cloning shares them. They move only in the process that coordinates; in another one
/// only the counter is not 0.
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
        let help = "Records of the last look that count as loaded and have no row; 0 where another process looks";
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

    /// Another process may show it now.
    pub(super) fn forget(&self) {
        self.missing.set(0);
        self.last_success.set(0.0);
        self.retention.set(0.0);
    }

    /// The broker's word.
    pub(super) fn topic_keeps(&self, kept: Option<Kept>) {
        self.retention.set(kept.map_or(0.0, seconds));
    }

    /// Checked and missing records, and whether a success and a retention are shown.
    #[cfg(test)]
    pub(super) fn values(&self) -> (u64, u64, bool, bool) {
        let (success, retention) = (self.last_success.get(), self.retention.get());
        (
            self.checked.get(),
            self.missing.get(),
            success > 0.0,
            retention > 0.0,
        )
    }
}
