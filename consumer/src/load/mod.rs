//! Stores a batch: `conversions`, then `postbacks`, for as long as it takes.
//!
//! - Trouble that passes (an outage, pressure, a wrong password) is waited out: the batch stays in
//!   memory, nothing is skipped, and the same bytes are sent again.
//! - What the server does not take whole is judged again and stored piece by piece ([`divided`]): what
//!   is too large is halved until it fits.
//! - A row that is refused for its value is found by halving. A refused conversion makes its postback
//!   a rejected one, with the server's words; if only the row of `postbacks` is refused, the hash of
//!   its raw text stands for it. Where even that is refused, the partition cannot go on:
//!   [`Fate::Refused`]. The others are stored.

mod divided;
mod judgements;
mod objections;
mod patience;
mod pieces;

use std::sync::{Arc, Mutex, PoisonError};

use clickhouse::Client;
use postback_service::lifecycle::Shutdown;
use postback_store::insert::{self, Conversions, Postbacks};
use postback_store::{Generation, Kind, StoreError, tables};

use judgements::Judgements;
pub(crate) use judgements::Run;
pub(crate) use objections::{Objection, Objections};
use patience::Patience;
use pieces::AtOnce;

use crate::batch::{Batch, Part};
use crate::crash::{self, Place};
use crate::health::ClickHouseHealth;
use crate::kafka::SharedProgress;
use crate::progress::{Epoch, Offset, Partition};
use crate::role::RoleMetrics;

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
    pub(crate) experience: Experience,
}

/// What was learned from batches before: how many records fit at once.
#[derive(Debug, Default)]
pub(crate) struct Experience {
    conversions: Mutex<AtOnce>,
    postbacks: Mutex<AtOnce>,
}

impl Experience {
    fn of(&self, table: Table) -> &Mutex<AtOnce> {
        match table {
            Table::Conversions => &self.conversions,
            Table::Postbacks => &self.postbacks,
        }
    }

    fn read(&self, table: Table) -> AtOnce {
        *self
            .of(table)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, table: Table, at_once: AtOnce) {
        *self
            .of(table)
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = at_once;
    }
}

/// What became of a part.
#[derive(Debug)]
pub(crate) enum Fate {
    /// All of it is in both tables.
    Stored,
    /// ClickHouse refuses the record at this offset whatever is done; everything before it is in both
    /// tables.
    Refused(Offset, StoreError),
    /// It was no longer ours to store, or the process is ending.
    Dropped,
}

/// A part after its load.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) partition: Partition,
    pub(crate) epoch: Epoch,
    pub(crate) end: Offset,
    pub(crate) fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Conversions,
    Postbacks,
}

impl Table {
    /// Conversions first: a postback that is seen to be accepted has its conversion.
    const IN_ORDER: [Self; 2] = [Self::Conversions, Self::Postbacks];

    const fn name(self) -> &'static str {
        match self {
            Self::Conversions => tables::CONVERSIONS,
            Self::Postbacks => tables::POSTBACKS,
        }
    }
}

/// Nothing of the batch is ours any longer, or the process is ending.
#[derive(Debug)]
struct Dropped;

/// Why a batch is not stored whole.
#[derive(Debug)]
enum NotWhole {
    Dropped(Dropped),
    /// This table does not take it so; those before have it.
    Divide(Table),
}

impl Loader {
    /// Loads a batch. Every part of it has a fate.
    pub(crate) async fn load(self: Arc<Self>, mut batch: Batch) -> Vec<Loaded> {
        match self.fill_whole(&mut batch).await {
            Ok(()) => batch.parts().map(|part| self.settle_whole(part)).collect(),
            Err(NotWhole::Dropped(Dropped)) => batch
                .parts()
                .map(|part| loaded(part, Fate::Dropped))
                .collect(),
            Err(NotWhole::Divide(from)) => self.load_divided(Judgements::of(batch), from).await,
        }
    }

    /// Inserts all rows at once, as often as it takes.
    async fn fill_whole(&self, batch: &mut Batch) -> Result<(), NotWhole> {
        for table in Table::IN_ORDER {
            let mut patience = Patience::default();
            loop {
                if self.shutdown.is_cancelled() || !batch.parts().any(|part| self.has(part)) {
                    return Err(NotWhole::Dropped(Dropped));
                }
                if !self.experience.read(table).has_room_for(batch.rows()) {
                    return Err(NotWhole::Divide(table));
                }
                match self.insert_whole(table, batch).await {
                    Ok(()) => {
                        self.health.works();
                        if table == Table::Conversions {
                            batch.forget_conversions();
                        }
                        break;
                    }
                    Err(error) => match error.kind {
                        Kind::Data | Kind::Unknown | Kind::TooLarge => {
                            return Err(NotWhole::Divide(table));
                        }
                        Kind::Outage | Kind::Pressure | Kind::Setup | Kind::Contradiction => {
                            self.health.waits(&error);
                            patience.wait(error.kind, &self.shutdown).await;
                        }
                    },
                }
            }
        }
        Ok(())
    }

    async fn insert_whole(&self, table: Table, batch: &mut Batch) -> Result<(), StoreError> {
        let parts = batch.parts_mut().filter(|part| self.has(part));
        match table {
            Table::Conversions => {
                let rows = parts.map(|part| &mut part.conversions).collect();
                self.insert_conversions(rows).await
            }
            Table::Postbacks => {
                let rows = parts.map(|part| &mut part.postbacks).collect();
                self.insert_postbacks(rows).await
            }
        }
    }

    async fn insert_conversions(&self, rows: Vec<&mut Conversions>) -> Result<(), StoreError> {
        let many = rows.iter().map(|rows| rows.rows()).sum();
        crash::pass(Place::BeforeConversions);
        let on_piece = || crash::pass(Place::InConversions);
        insert::conversions(&self.client, self.generation, rows, on_piece).await?;
        crash::pass(Place::AfterConversions);
        self.metrics.inserted(Table::Conversions.name(), many);
        Ok(())
    }

    async fn insert_postbacks(&self, rows: Vec<&mut Postbacks>) -> Result<(), StoreError> {
        let many = rows.iter().map(|rows| rows.rows()).sum();
        crash::pass(Place::BeforePostbacks);
        let on_piece = || crash::pass(Place::InPostbacks);
        insert::postbacks(&self.client, self.generation, rows, on_piece).await?;
        crash::pass(Place::AfterPostbacks);
        self.metrics.inserted(Table::Postbacks.name(), many);
        Ok(())
    }

    /// A part that was stored while it was taken from us is dropped: somebody else stores it too.
    fn settle_whole(&self, part: &Part) -> Loaded {
        if !self.has(part) {
            return loaded(part, Fate::Dropped);
        }
        self.metrics.stored(&part.tally);
        loaded(part, Fate::Stored)
    }

    fn has(&self, part: &Part) -> bool {
        self.is_ours(part.partition, part.epoch)
    }

    fn is_ours(&self, partition: Partition, epoch: Epoch) -> bool {
        self.progress.lock().is_current(partition, epoch)
    }
}

fn loaded(part: &Part, fate: Fate) -> Loaded {
    Loaded {
        partition: part.partition,
        epoch: part.epoch,
        end: part.end(),
        fate,
    }
}
