//! Stores a batch: `conversions`, then `postbacks`, for as long as it takes.
//!
//! Trouble that passes (an outage, pressure, a wrong password) is waited out: the batch stays in
//! memory, nothing is skipped. What ClickHouse refuses for itself is narrowed to a partition, and
//! that partition's fate is [`Fate::Refused`]; the others are stored.

use std::sync::Arc;
use std::time::Duration;

use clickhouse::Client;
use postback_service::lifecycle::Shutdown;
use postback_store::{Generation, Kind, StoreError, insert, tables};

use crate::batch::{Batch, Part};
use crate::health::ClickHouseHealth;
use crate::kafka::SharedProgress;
use crate::progress::{Epoch, Offset, Partition};
use crate::role::RoleMetrics;
use crate::rows::{ConversionRows, PostbackRows, Records};

/// First pause before an attempt is repeated; it doubles up to [`LONGEST_PAUSE`]. A batch's load
/// must go on within 5 s of the server's return.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
const LONGEST_PAUSE_UNDER_PRESSURE: Duration = Duration::from_secs(5);

/// Where batches go.
#[derive(Debug)]
pub(crate) struct Loader {
    pub(crate) client: Client,
    pub(crate) generation: Generation,
    pub(crate) topic: String,
    pub(crate) progress: SharedProgress,
    pub(crate) health: ClickHouseHealth,
    pub(crate) metrics: RoleMetrics,
    /// Ends waiting; what was waited for is dropped.
    pub(crate) shutdown: Shutdown,
}

/// What became of a part.
#[derive(Debug)]
pub(crate) enum Fate {
    /// All of it is in both tables.
    Stored,
    /// ClickHouse refuses something in it.
    Refused(StoreError),
    /// It was no longer ours to store, or the process is ending.
    Dropped,
}

/// A part after its load.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) partition: Partition,
    pub(crate) epoch: Epoch,
    pub(crate) first: Offset,
    pub(crate) end: Offset,
    pub(crate) fate: Fate,
}

impl Loader {
    /// Loads a batch. Every part of it has a fate.
    pub(crate) async fn load(self: Arc<Self>, batch: Batch) -> Vec<Loaded> {
        let parts: Vec<&Part> = batch.parts().collect();
        let refused = match self.store(&parts).await {
            Fate::Refused(error) if parts.len() == 1 => Some(error),
            Fate::Refused(_) => None,
            fate @ (Fate::Stored | Fate::Dropped) => {
                let is_stored = matches!(fate, Fate::Stored);
                return parts
                    .iter()
                    .map(|part| self.settle(part, is_stored))
                    .collect();
            }
        };
        if let (Some(error), [part]) = (refused, &parts[..]) {
            return vec![loaded(part, Fate::Refused(error))];
        }
        let mut done = Vec::with_capacity(parts.len());
        for part in parts {
            let fate = self.store(&[part]).await;
            done.push(match fate {
                Fate::Refused(_) => loaded(part, fate),
                Fate::Stored | Fate::Dropped => self.settle(part, matches!(fate, Fate::Stored)),
            });
        }
        done
    }

    /// A part that was stored while it was taken from us is dropped: somebody else stores it too.
    fn settle(&self, part: &Part, is_stored: bool) -> Loaded {
        if is_stored && self.is_ours(part) {
            self.metrics.stored(part);
            loaded(part, Fate::Stored)
        } else {
            loaded(part, Fate::Dropped)
        }
    }

    fn is_ours(&self, part: &Part) -> bool {
        self.progress.lock().is_current(part.partition, part.epoch)
    }

    /// Tries until it is stored or refused, as long as some of it is ours.
    async fn store(&self, parts: &[&Part]) -> Fate {
        let mut pause = FIRST_PAUSE;
        let mut stage = Stage::Conversions;
        loop {
            let ours: Vec<&Part> = parts
                .iter()
                .copied()
                .filter(|part| self.is_ours(part))
                .collect();
            if ours.is_empty() || self.shutdown.is_cancelled() {
                return Fate::Dropped;
            }
            let error = match self.insert(&ours, &mut stage).await {
                Ok(()) => {
                    self.health.works();
                    return Fate::Stored;
                }
                Err(error) => error,
            };
            if !error.kind.passes_with_time() {
                self.health.works();
                return Fate::Refused(error);
            }
            self.health.waits(&error);
            let longest = match error.kind {
                Kind::Pressure => LONGEST_PAUSE_UNDER_PRESSURE,
                _ => LONGEST_PAUSE,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shutdown.cancelled() => {}
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// Conversions first: a postback that is seen to be accepted has its conversion. An attempt
    /// that is repeated goes on where the last one failed, lest it adds parts to a server that has
    /// too many.
    async fn insert(&self, parts: &[&Part], stage: &mut Stage) -> Result<(), StoreError> {
        if *stage == Stage::Conversions {
            let conversions = ConversionRows(Records::of(parts));
            insert::conversions(&self.client, self.generation, conversions).await?;
            let accepted = Records::of(parts).filter(|(_, record)| record.is_accepted());
            self.metrics.inserted(tables::CONVERSIONS, accepted.count());
            *stage = Stage::Postbacks;
        }
        let postbacks = PostbackRows {
            topic: &self.topic,
            records: Records::of(parts),
        };
        insert::postbacks(&self.client, self.generation, postbacks).await?;
        self.metrics
            .inserted(tables::POSTBACKS, Records::of(parts).count());
        Ok(())
    }
}

/// What is to be inserted next. Parts only ever drop out of an attempt, so conversions that were
/// stored once are stored for all that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Conversions,
    Postbacks,
}

fn loaded(part: &Part, fate: Fate) -> Loaded {
    Loaded {
        partition: part.partition,
        epoch: part.epoch,
        first: part.first(),
        end: part.end(),
        fate,
    }
}
