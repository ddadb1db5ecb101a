//! Stores a batch: `conversions`, then `postbacks`, for as long as it takes.
//!
//! - Trouble that passes (an outage, pressure, a wrong password) is waited out: the batch stays in
//!   memory, nothing is skipped.
//! - What is too large for the server is halved until it fits.
//! - A row that is refused for its value is found by halving. A refused conversion makes its postback
//!   a rejected one, with the server's words; if only the row of `postbacks` is refused, the hash of
//!   its raw text stands for it. Where even that is refused, the partition cannot go on:
//!   [`Fate::Refused`]. The others are stored.

mod objections;
mod patience;
mod pieces;

use std::sync::{Arc, Mutex, PoisonError};

use clickhouse::Client;
use postback_service::lifecycle::Shutdown;
use postback_store::{Generation, Kind, StoreError, insert, tables};
use tracing::warn;

pub(crate) use objections::{BLAKE3, Objection, Objections};
use patience::Patience;
use pieces::{AtOnce, Pieces, Refused};

use crate::batch::{Batch, Part, Run};
use crate::crash::{self, Place};
use crate::health::ClickHouseHealth;
use crate::judge::Judged;
use crate::kafka::SharedProgress;
use crate::progress::{Epoch, Offset, Partition};
use crate::role::RoleMetrics;
use crate::rows::{ConversionRows, PostbackRows, Records};

/// Refused rows of one batch that are told of one by one.
const TOLD_OF: usize = 10;

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

impl Loader {
    /// Loads a batch. Every part of it has a fate.
    pub(crate) async fn load(self: Arc<Self>, batch: Batch) -> Vec<Loaded> {
        let mut objections = Objections::default();
        // Conversions first: a postback that is seen to be accepted has its conversion.
        for table in [Table::Conversions, Table::Postbacks] {
            if let Err(Dropped) = self.fill(table, &batch, &mut objections).await {
                return batch
                    .parts()
                    .map(|part| loaded(part, Fate::Dropped))
                    .collect();
            }
        }
        let settled = batch.parts().map(|part| self.settle(part, &objections));
        settled.collect()
    }

    /// A part that was stored while it was taken from us is dropped: somebody else stores it too.
    fn settle(&self, part: &Part, objections: &Objections) -> Loaded {
        if !self.is_ours(part) {
            return loaded(part, Fate::Dropped);
        }
        if let Some((offset, error)) = objections.hopeless(part.partition) {
            return loaded(part, Fate::Refused(*offset, error.clone()));
        }
        let is_refused = |record: &Judged| objections.rejects(record.id);
        self.metrics.stored(part, is_refused);
        loaded(part, Fate::Stored)
    }

    fn is_ours(&self, part: &Part) -> bool {
        self.progress.lock().is_current(part.partition, part.epoch)
    }

    /// Inserts the rows of one table: all at once or piece by piece, as often as it takes. A piece
    /// that is stored is not repeated, lest that adds parts to a server that has too many.
    async fn fill(
        &self,
        table: Table,
        batch: &Batch,
        objections: &mut Objections,
    ) -> Result<(), Dropped> {
        let mut pieces = Pieces::of(batch.rows(), self.experience.read(table));
        let mut patience = Patience::default();
        let mut told_of = 0;
        while let Some(piece) = pieces.next() {
            if self.shutdown.is_cancelled() || !batch.parts().any(|part| self.is_ours(part)) {
                return Err(Dropped);
            }
            let runs = batch.runs(&piece, |part| self.is_ours(part));
            let runs = possible(&runs, objections);
            if runs.is_empty() {
                pieces.taken(false);
                continue;
            }
            let error = match self.insert(table, &runs, objections).await {
                Ok(()) => {
                    self.health.works();
                    patience = Patience::default();
                    pieces.taken(true);
                    continue;
                }
                Err(error) => error,
            };
            let is_smaller = match error.kind {
                Kind::TooLarge => {
                    pieces.too_large();
                    false
                }
                Kind::Data | Kind::Unknown => match pieces.refused(error.kind == Kind::Data) {
                    Refused::Divided => true,
                    Refused::Everything => false,
                    Refused::Alone(number) => {
                        told_of += 1;
                        let is_told = told_of <= TOLD_OF;
                        if self.object(table, &runs, error, objections, is_told) {
                            pieces.again(number);
                        }
                        continue;
                    }
                },
                Kind::Outage | Kind::Pressure | Kind::Setup | Kind::Contradiction => false,
            };
            if !is_smaller {
                self.health.waits(&error);
                patience.wait(error.kind, &self.shutdown).await;
            }
        }
        self.experience.write(table, pieces.at_once());
        if told_of > TOLD_OF {
            let many = told_of - TOLD_OF;
            warn!(
                table = table.name(),
                many, "ClickHouse refused more rows of the same batch"
            );
        }
        Ok(())
    }

    /// A single record is refused. True where it is to be tried again in another form.
    fn object(
        &self,
        table: Table,
        runs: &[Run<'_>],
        error: StoreError,
        objections: &mut Objections,
        is_told: bool,
    ) -> bool {
        let Some((partition, record)) = Records::of(runs).next() else {
            return false;
        };
        crash::pass(Place::Refused);
        // It answers, and takes the others.
        self.health.works();
        self.metrics.refused(table.name());
        let is_again = match table {
            Table::Conversions => {
                objections.reject(record, &error);
                false
            }
            Table::Postbacks => objections.replace_raw(record, &error),
        };
        if is_told {
            warn!(
                table = table.name(),
                partition,
                offset = record.offset,
                id = %record.id,
                "ClickHouse refuses a row: {}", error.message
            );
        }
        if table == Table::Postbacks && !is_again {
            objections.give_up(partition, record.offset, error);
        }
        is_again
    }

    async fn insert(
        &self,
        table: Table,
        runs: &[Run<'_>],
        objections: &Objections,
    ) -> Result<(), StoreError> {
        let records = Records::of(runs);
        let rows = match table {
            Table::Conversions => {
                crash::pass(Place::BeforeConversions);
                let rows = ConversionRows(records.clone());
                insert::conversions(&self.client, self.generation, rows).await?;
                crash::pass(Place::AfterConversions);
                records.filter(|(_, record)| record.is_accepted()).count()
            }
            Table::Postbacks => {
                crash::pass(Place::BeforePostbacks);
                let rows = PostbackRows {
                    topic: &self.topic,
                    records: records.clone(),
                    objections,
                };
                insert::postbacks(&self.client, self.generation, rows).await?;
                crash::pass(Place::AfterPostbacks);
                records.count()
            }
        };
        self.metrics.inserted(table.name(), rows);
        Ok(())
    }
}

/// The runs without what stands behind a record for which there is no way: it is read again.
fn possible<'a>(runs: &[Run<'a>], objections: &Objections) -> Vec<Run<'a>> {
    let cut = |run: &Run<'a>| {
        let end = objections
            .hopeless(run.partition)
            .map_or(Offset::MAX, |(offset, _)| *offset);
        let many = run.records.partition_point(|record| record.offset < end);
        let records = &run.records[..many];
        (many > 0).then_some(Run { records, ..*run })
    };
    runs.iter().filter_map(cut).collect()
}

fn loaded(part: &Part, fate: Fate) -> Loaded {
    Loaded {
        partition: part.partition,
        epoch: part.epoch,
        end: part.end(),
        fate,
    }
}
