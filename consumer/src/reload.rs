//! SIGHUP: the sources are read again; everything else needs a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clickhouse::Client;
use postback_common::config::{self, ConfigError, Settings};
use postback_common::name::SourceName;
use postback_normalise::Configured;
use postback_service::lifecycle::{Reloads, Shutdown};
use postback_store::{StoreError, identities};
use tokio::sync::watch;
use tokio::task::JoinError;
use tracing::{error, info, warn};

use crate::accounts::{self, AccountsError};
use crate::args;
use crate::metrics::ConsumerMetrics;

/// Why the old sources stay.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// New accounts cannot be recorded, and without a record their rules are not fixed.
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error("the file was not read: {0}")]
    Task(#[from] JoinError),
    /// Records in Kafka name it; and the file may have been read half-written.
    #[error(
        "source {0} is missing in the file\n    remedy: disable a source with enabled = false; removing it takes a restart"
    )]
    Dropped(SourceName),
}

/// Reads the file at each SIGHUP.
pub(crate) struct Reloader {
    pub(crate) file: PathBuf,
    pub(crate) running: Settings,
    pub(crate) client: Client,
    pub(crate) rules: watch::Sender<Arc<Configured>>,
    pub(crate) metrics: ConsumerMetrics,
}

impl Reloader {
    /// Works until shutdown.
    pub(crate) async fn listen(mut self, mut reloads: Reloads, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = reloads.next() => {}
            }
            let reloaded = self.reload().await;
            self.metrics.reload(reloaded.is_ok());
            match reloaded {
                Ok(sources) => info!(sources, "sources reloaded"),
                Err(error) => error!("configuration refused, the old sources stay: {error}"),
            }
        }
    }

    async fn reload(&mut self) -> Result<usize, ReloadError> {
        let file = self.file.clone();
        let (settings, proposed) = tokio::task::spawn_blocking(move || args::load(&file)).await??;
        let dropped = config::dropped_sources(&self.running.sources, &settings.sources);
        if let Some(source) = dropped.into_iter().next() {
            return Err(ReloadError::Dropped(source));
        }
        let recorded = identities::freeze(&self.client, &accounts::wanted(&proposed)).await?;
        let rules = accounts::rules(Path::new(&self.file), &settings.sources, recorded)?;
        if others(&self.running) != others(&settings) {
            warn!("other settings than sources have changed; they take effect only at a restart");
        }
        let sources = settings.sources.len();
        self.running.sources = settings.sources;
        self.rules.send_replace(Arc::new(rules));
        Ok(sources)
    }
}

/// Everything but the sources, as it prints: secrets are not compared.
fn others(settings: &Settings) -> Option<String> {
    let mut others = settings.clone();
    others.sources.clear();
    others.to_toml().ok()
}
