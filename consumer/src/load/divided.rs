//! The way of a batch that ClickHouse does not take whole: piece by piece, see [`Pieces`].

use postback_store::{Kind, StoreError};
use tracing::warn;

use super::judgements::{JudgedPart, Judgements, Run};
use super::objections::Objections;
use super::patience::Patience;
use super::pieces::{Pieces, Refused};
use super::{Dropped, Fate, Loaded, Loader, Table};
use crate::crash::{self, Place};
use crate::progress::Offset;
use crate::rows;
use crate::tally::Tally;

/// Refused rows of one batch that are told of one by one.
const TOLD_OF: usize = 10;

impl Loader {
    /// Loads the records into this table and those behind it. Every part has a fate.
    pub(super) async fn load_divided(&self, judgements: Judgements, from: Table) -> Vec<Loaded> {
        let mut objections = Objections::default();
        for table in Table::IN_ORDER {
            let is_filled = table == Table::Conversions && from == Table::Postbacks;
            if !is_filled && let Err(Dropped) = self.fill(table, &judgements, &mut objections).await
            {
                let parts = judgements.parts.iter();
                return parts.map(|part| loaded(part, Fate::Dropped)).collect();
            }
        }
        let parts = judgements.parts.iter();
        parts.map(|part| self.settle(part, &objections)).collect()
    }

    /// A part that was stored while it was taken from us is dropped: somebody else stores it too.
    fn settle(&self, part: &JudgedPart, objections: &Objections) -> Loaded {
        if !self.is_ours(part.partition, part.epoch) {
            return loaded(part, Fate::Dropped);
        }
        if let Some((offset, error)) = objections.hopeless(part.partition) {
            return loaded(part, Fate::Refused(*offset, error.clone()));
        }
        let mut tally = Tally::default();
        for record in &part.records {
            tally.add(record, objections.rejects(record.id));
        }
        self.metrics.stored(&tally);
        loaded(part, Fate::Stored)
    }

    /// Inserts the rows of one table, as often as it takes. A piece that is stored is not repeated,
    /// lest that adds parts to a server that has too many.
    async fn fill(
        &self,
        table: Table,
        judgements: &Judgements,
        objections: &mut Objections,
    ) -> Result<(), Dropped> {
        let mut pieces = Pieces::of(judgements.records(), self.experience.read(table));
        let mut patience = Patience::default();
        let mut told_of = 0;
        while let Some(piece) = pieces.next() {
            let is_ours = |part: &JudgedPart| self.is_ours(part.partition, part.epoch);
            if self.shutdown.is_cancelled() || !judgements.parts.iter().any(is_ours) {
                return Err(Dropped);
            }
            let runs = judgements.runs(&piece, is_ours);
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
        let Some((partition, record)) = rows::records(runs).next() else {
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
        match table {
            Table::Conversions => {
                let mut rows = rows::conversions(runs);
                self.insert_conversions(vec![&mut rows]).await
            }
            Table::Postbacks => {
                let mut rows = rows::postbacks(&self.topic, runs, objections);
                self.insert_postbacks(vec![&mut rows]).await
            }
        }
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

fn loaded(part: &JudgedPart, fate: Fate) -> Loaded {
    Loaded {
        partition: part.partition,
        epoch: part.epoch,
        end: part.end(),
        fate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::judged;

    #[test]
    fn nothing_from_a_record_without_a_way_on_is_sent_again() {
        let records: Vec<_> = (10..14).map(|offset| judged(offset, 1)).collect();
        let runs = [0, 1, 2].map(|partition| Run {
            partition,
            records: &records,
        });
        let mut objections = Objections::default();
        for (partition, offset) in [(0, 12), (1, 10)] {
            let error = StoreError::own(Kind::Data, "insert", "no", "none");
            objections.give_up(partition, offset, error);
        }
        let left: Vec<_> = possible(&runs, &objections)
            .iter()
            .map(|run| (run.partition, run.records.len()))
            .collect();
        assert_eq!(left, [(0, 2), (2, 4)]);
    }
}
