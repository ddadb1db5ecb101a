//! What one process alone does for all: the owner of partition 0 in the group of the generation
//! that readers see.
//!
//! Each act can be repeated, and two coordinators at once (one that was paused and does not know
//! yet that it was replaced) do no harm: what counts is the record of events, in the server's order.
//!
//! - `replay`: notes where the live generation is when a new one begins.
//! - `activation`: holds the generation that readers leave, lets the other one pass it, switches.
//! - `views`: sees to it that readers see the active generation.
//! - `upkeep`, beside these steps: samples of the topic against the table, retention.
//! - `endpoints`, beside them too: whether the networks send, and what they did not deliver.
//! - `dropped`, beside them too: what is left of dropped generations is removed.
//!
//! `fill` is for another one: who has partition 0 of a generation that replays takes over for it what
//! Kafka has no more.

mod activation;
mod close;
mod dropped;
mod fill;
mod groups;
mod replay;
mod views;

use std::time::{Duration, Instant};

use clickhouse::Client;
use postback_common::config::{Settings, SourceSettings};
use postback_service::kafka::LogError;
use postback_service::lifecycle::Shutdown;
use postback_store::{StoreError, generations};
use tokio::sync::watch;
use tokio::task::JoinError;
use tracing::{debug, info};

use crate::endpoints::Endpoints;
use crate::generations::{Parts, RulesError};
use crate::upkeep::Upkeep;
use activation::Watched;
use dropped::Remains;
pub(crate) use fill::Filler;
use groups::Groups;

/// Pause between two steps.
const STEP_EVERY: Duration = Duration::from_millis(500);
/// Pause after a step that failed; it is repeated from its beginning.
const AGAIN_AFTER: Duration = Duration::from_secs(3);

/// Why a step was not done. It is repeated.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("Kafka: {0}")]
    Kafka(#[from] postback_service::kafka::rdkafka::error::KafkaError),
    #[error("a task ended in a panic: {0}")]
    Task(#[from] JoinError),
    /// Not all of what was taken over is stored yet.
    #[error("not everything was stored: {0}")]
    NotStored(String),
}

/// Does what one alone may do, while it leads.
pub(crate) struct Coordinator {
    client: Client,
    parts: Parts,
    groups: Groups,
    upkeep: Upkeep,
    endpoints: Endpoints,
    watched: Watched,
    /// When the views were last found to read the active generation.
    views_seen: Option<Instant>,
}

impl Coordinator {
    /// `sources` are those of the file as it is now.
    pub(crate) fn new(
        settings: &Settings,
        sources: watch::Receiver<Vec<SourceSettings>>,
        client: Client,
        parts: &Parts,
    ) -> Self {
        Self {
            parts: parts.clone(),
            groups: Groups::new(settings),
            upkeep: Upkeep {
                settings: settings.clone(),
                client: client.clone(),
                metrics: parts.upkeep.clone(),
            },
            endpoints: Endpoints {
                settings: settings.clone(),
                sources,
                client: client.clone(),
                metrics: parts.endpoints.clone(),
            },
            client,
            watched: Watched::default(),
            views_seen: None,
        }
    }

    /// Leads until told otherwise.
    pub(crate) async fn lead(mut self, until: Shutdown) {
        info!("coordinating: this process has partition 0");
        let upkeep = self.upkeep.clone().run();
        let endpoints = self.endpoints.clone().run();
        let dropped = Remains::new(&self.client, &self.groups).run();
        let leading = async {
            loop {
                let pause = match self.step().await {
                    Ok(()) => STEP_EVERY,
                    Err(error) => {
                        debug!(%error, "a step of coordination is tried again");
                        AGAIN_AFTER
                    }
                };
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            () = until.cancelled() => {}
            () = leading => {}
            () = upkeep => {}
            () = endpoints => {}
            () = dropped => {}
        }
        info!("coordinating no more");
    }

    async fn step(&mut self) -> Result<(), StepError> {
        let lineage = generations::lineage(&self.client).await?;
        self.look_at_views(&lineage).await;
        self.advance_replay(&lineage).await?;
        self.advance_activation(&lineage).await
    }
}
