//! Whether ClickHouse takes what we load, for `/readyz` and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clickhouse::Client;
use postback_service::lifecycle::Shutdown;
use postback_service::probes::Probe;
use postback_store::{StoreError, check};

use crate::metrics::ConsumerMetrics;
use crate::role::RoleMetrics;

/// Pause between two questions to an idle server.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct ClickHouseHealth {
    probe: Probe,
    metrics: ConsumerMetrics,
    url: Arc<str>,
    is_waiting: Arc<AtomicBool>,
    /// Of the pipeline that it is told by: a standby's trouble is nobody else's.
    role: Option<RoleMetrics>,
}

impl ClickHouseHealth {
    pub(crate) fn new(probe: Probe, metrics: ConsumerMetrics, url: &str) -> Self {
        Self {
            probe,
            metrics,
            url: url.into(),
            is_waiting: Arc::default(),
            role: None,
        }
    }

    /// The same, as a pipeline tells it.
    pub(crate) fn told_by(&self, metrics: &RoleMetrics) -> Self {
        Self {
            role: Some(metrics.clone()),
            ..self.clone()
        }
    }

    fn standby(&self) -> Option<&RoleMetrics> {
        self.role
            .as_ref()
            .filter(|metrics| !metrics.role.is_active())
    }

    /// Loading waits for this to pass.
    pub(crate) fn waits(&self, error: &StoreError) {
        if let Some(standby) = self.standby() {
            return standby.wait_for(Some(error.kind));
        }
        self.is_waiting.store(true, Ordering::Relaxed);
        self.metrics.wait_for(Some(error.kind));
        self.fail(error);
    }

    /// The server took something, or refused it with open eyes.
    pub(crate) fn works(&self) {
        if let Some(standby) = self.standby() {
            return standby.wait_for(None);
        }
        self.is_waiting.store(false, Ordering::Relaxed);
        self.metrics.wait_for(None);
        self.probe.pass();
    }

    fn fail(&self, error: &StoreError) {
        let code = error
            .code
            .map(|code| format!(", code {code}"))
            .unwrap_or_default();
        let reason = format!(
            "ClickHouse at {}: {}: {} [{}{code}]",
            self.url,
            error.attempt,
            error.message,
            error.kind.as_str()
        );
        self.probe.fail(reason, error.loaders_remedy());
    }

    /// Asks the server now and then while no load says how it is. Ends at shutdown.
    pub(crate) async fn watch(self, client: Client, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
            let answer = check::ping(&client).await;
            // A load that waits knows better why than a question that asks for nothing.
            if self.is_waiting.load(Ordering::Relaxed) {
                continue;
            }
            match answer {
                Ok(()) => self.probe.pass(),
                Err(error) => self.fail(&error),
            }
        }
    }
}
