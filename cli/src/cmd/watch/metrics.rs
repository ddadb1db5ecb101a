//! What Prometheus reads of `postback watch`.

use postback_service::metrics::Metrics;
use postback_service::metrics::prometheus_client::metrics::counter::Counter;
use postback_service::metrics::prometheus_client::metrics::family::Family;
use postback_service::metrics::prometheus_client::metrics::gauge::Gauge;

use super::alert::Alert;

/// Names and values. Sources are those of the configuration, kinds and results are few.
type Labels = Vec<(&'static str, String)>;

fn result(result: &str) -> Labels {
    vec![("result", result.to_owned())]
}

/// The metrics, all named `postback_watch_…`.
#[derive(Clone, Default)]
pub(super) struct Watching {
    alerts: Family<Labels, Gauge>,
    looks: Family<Labels, Counter>,
    reloads: Family<Labels, Counter>,
    through: Gauge,
    pub(super) deliveries: Deliveries,
}

/// What became of alerts to the webhook.
#[derive(Clone, Default)]
pub(super) struct Deliveries(Family<Labels, Counter>);

impl Watching {
    pub(super) fn register(&self, metrics: &mut Metrics) {
        let part = metrics.part("watch");
        part.register(
            "open_alerts",
            "Alerts that are open, by source and kind",
            self.alerts.clone(),
        );
        part.register(
            "looks",
            "Looks at the tables, by result",
            self.looks.clone(),
        );
        part.register(
            "reloads",
            "Reloads of the sources, by result",
            self.reloads.clone(),
        );
        part.register(
            "judged_through_timestamp_seconds",
            "Everything up to this time is loaded and was judged",
            self.through.clone(),
        );
        part.register(
            "webhook_deliveries",
            "Alerts to the webhook, by result",
            self.deliveries.0.clone(),
        );
        for name in ["done", "failed"] {
            self.looks.get_or_create(&result(name)).inc_by(0);
            self.reloads.get_or_create(&result(name)).inc_by(0);
            self.deliveries.0.get_or_create(&result(name)).inc_by(0);
        }
    }

    pub(super) fn looked<'a>(&self, open: impl Iterator<Item = &'a Alert>, through: i64) {
        self.looks.get_or_create(&result("done")).inc();
        self.through.set(through);
        self.alerts.clear();
        for alert in open {
            let labels = vec![
                ("source", alert.source.clone()),
                ("kind", alert.finding.kind().to_owned()),
            ];
            self.alerts.get_or_create(&labels).inc();
        }
    }

    pub(super) fn failed(&self) {
        self.looks.get_or_create(&result("failed")).inc();
    }

    pub(super) fn reloaded(&self, is_done: bool) {
        let name = if is_done { "done" } else { "failed" };
        self.reloads.get_or_create(&result(name)).inc();
    }
}

impl Deliveries {
    pub(super) fn delivered(&self) {
        self.0.get_or_create(&result("done")).inc();
    }

    pub(super) fn failed(&self) {
        self.0.get_or_create(&result("failed")).inc();
    }
}
