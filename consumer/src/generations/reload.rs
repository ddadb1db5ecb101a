//! SIGHUP: the file is read again, and its sources are offered to the generations. Where ClickHouse
//! cannot be asked, what was read waits for it: nobody sends the signal twice.

use postback_common::config::{self, ConfigError, Settings};
use postback_common::name::SourceName;
use postback_store::{Kind, generations};
use tokio::task::JoinError;
use tracing::{debug, error, info, warn};

use super::{Keeper, OfferError, current, offer, tell};
use crate::args;

/// Why changed sources are refused.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Offer(#[from] OfferError),
    #[error("the file was not read: {0}")]
    Task(#[from] JoinError),
    /// Records in Kafka name it; and the file may have been read half-written.
    #[error(
        "source {0} is missing in the file\n    remedy: disable a source with enabled = false; removing it takes a restart"
    )]
    Dropped(SourceName),
}

impl ReloadError {
    /// What ClickHouse has against it, where waiting may help. As loading does, it also waits for what
    /// nobody knows: unlike at a start, no supervisor tries again.
    fn passing(&self) -> Option<Kind> {
        let Self::Offer(error) = self else {
            return None;
        };
        let kind = error.store()?.kind;
        (kind.passes_with_time() || kind == Kind::Unknown).then_some(kind)
    }
}

/// What was read at the signal, and could not be offered yet.
pub(super) struct Waiting {
    settings: Settings,
    /// What holds it up, as far as it has been told.
    told: Kind,
}

impl Keeper {
    /// Does what the signal asks for, if it has come; else what waits since an earlier one, if the
    /// record of generations could be read.
    pub(super) async fn reload(&mut self, is_asked: bool, is_read: bool) {
        if is_asked {
            // The file counts as it is now.
            self.waiting = None;
            match self.read_again().await {
                Ok(settings) => self.take(settings, None).await,
                Err(error) => self.refuse(&error),
            }
        } else if is_read && let Some(Waiting { settings, told }) = self.waiting.take() {
            self.take(settings, Some(told)).await;
        }
    }

    async fn read_again(&self) -> Result<Settings, ReloadError> {
        let file = self.file.clone();
        let (settings, _) = tokio::task::spawn_blocking(move || args::load(&file)).await??;
        let dropped = config::dropped_sources(&self.settings.sources, &settings.sources);
        match dropped.into_iter().next() {
            Some(source) => Err(ReloadError::Dropped(source)),
            None => Ok(settings),
        }
    }

    /// Takes the sources, or lets them wait. `told`: what has held them up before.
    async fn take(&mut self, settings: Settings, told: Option<Kind>) {
        match self.offer_again(&settings).await {
            Ok(()) => {
                self.adopt(settings);
                self.parts.metrics.reload(true);
            }
            Err(error) => match error.passing() {
                Some(kind) => {
                    if told == Some(kind) {
                        debug!("still not reloaded: {error}");
                    } else {
                        warn!(
                            "not reloaded yet, the old sources stay until ClickHouse lets it be done: {error}"
                        );
                    }
                    let told = kind;
                    self.waiting = Some(Waiting { settings, told });
                }
                None => self.refuse(&error),
            },
        }
    }

    /// Offers the sources to the generations of this moment, and has the pipelines follow.
    async fn offer_again(&mut self, settings: &Settings) -> Result<(), ReloadError> {
        // What was read at the last look may be old: since then ClickHouse may have been away.
        let lineage = generations::lineage(&self.client).await;
        let lineage = lineage.map_err(OfferError::from)?;
        let offered = offer(&self.client, &self.file, &settings.sources, &lineage).await?;
        tell(&offered);
        for life in lineage.live() {
            if let Some(running) = self.running.get_mut(&life.generation) {
                let rules = current(&self.client, life)
                    .await
                    .map_err(OfferError::from)?;
                running
                    .follow(&rules, life.generation)
                    .map_err(OfferError::from)?;
            }
        }
        Ok(())
    }

    fn adopt(&mut self, settings: Settings) {
        if self.settings.differ_beside_sources(&settings) {
            warn!("other settings than sources have changed; they take effect only at a restart");
        }
        info!(sources = settings.sources.len(), "sources reloaded");
        self.sources.send_replace(settings.sources.clone());
        self.settings.sources = settings.sources;
        self.changes.forget();
    }

    fn refuse(&self, error: &ReloadError) {
        self.parts.metrics.reload(false);
        error!("configuration refused, the old sources stay: {error}");
    }
}

#[cfg(test)]
mod tests {
    use postback_store::StoreError;

    use super::super::RulesError;
    use super::*;

    #[test]
    fn what_may_pass_is_waited_for_and_a_bad_file_is_not() {
        let store = |kind| StoreError::own(kind, "read the rules", "no".to_owned(), "");
        for (kind, waits) in [
            (Kind::Outage, true),
            (Kind::Pressure, true),
            (Kind::TooLarge, true),
            (Kind::Setup, true),
            (Kind::Unknown, true),
            (Kind::Data, false),
            (Kind::Contradiction, false),
        ] {
            for error in [
                OfferError::Store(store(kind)),
                RulesError::Store(store(kind)).into(),
            ] {
                let passing = ReloadError::from(error).passing();
                assert_eq!(passing, Some(kind).filter(|_| waits), "{kind:?}");
            }
        }
        let source = SourceName::new("shop").unwrap();
        assert_eq!(ReloadError::Dropped(source).passing(), None);
    }
}
