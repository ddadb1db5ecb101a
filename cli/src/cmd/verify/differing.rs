//! The blocks whose sums differ, id by id.
//!
//! A sum differs for three reasons: a record has no row, a row has no record, or a record came twice
//! and its row stands under the lower offset, which is right. So ids are looked for wherever they
//! stand; and where a block's rows are more than its records explain, its rows are read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use postback_service::kafka::{LogError, LogReader, Span};
use postback_store::StoreError;
use postback_store::verify::{Block, Extent, Row, Scope, Sum, Tables, Wanted};
use uuid::Uuid;

use super::topic::{block_of, is_asked, span};
use crate::progress::Meter;

/// Ids per question.
const IDS: usize = 2_000;
/// Offsets whose ids are held while their rows are read.
const OFFSETS: usize = 1_000_000;

/// What can go wrong on either side.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerifyError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

/// A record or a row that has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lone {
    pub(super) id: Uuid,
    pub(super) received_at: Timestamp,
    pub(super) partition: u32,
    pub(super) offset: u64,
}

/// Some of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample<T> {
    pub(super) total: u64,
    pub(super) some: Vec<T>,
}

impl<T> Default for Sample<T> {
    fn default() -> Self {
        Self {
            total: 0,
            some: Vec::new(),
        }
    }
}

impl<T> Sample<T> {
    pub(super) fn add(&mut self, one: T, limit: usize) {
        self.total += 1;
        if self.some.len() < limit {
            self.some.push(one);
        }
    }
}

/// What the differing blocks have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// Records without a row.
    pub(super) missing: Sample<Lone>,
    /// Rows under an offset that the topic has, with another record or none.
    pub(super) extra: Sample<Lone>,
    /// Rows of that kind, older than the topic's oldest record: of an earlier topic of that name.
    pub(super) earlier_log: u64,
    /// Records whose row stands under the offset of another copy.
    pub(super) copies: u64,
}

/// Reads both sides again where they differ.
pub(super) struct Differing<'a> {
    pub(super) reader: Arc<LogReader>,
    pub(super) tables: &'a Tables,
    pub(super) scope: &'a Scope,
    pub(super) extents: &'a [Extent],
    pub(super) size: u64,
    pub(super) limit: usize,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) meter: &'a Meter,
}

/// A record of the topic; `None` for one of a later version.
type Known = Option<Uuid>;

/// A block as the topic has it.
#[derive(Debug, Default)]
struct Records {
    /// Every offset that has a record.
    at: HashMap<u64, Known>,
    /// Those in the scope.
    asked: Vec<Lone>,
}

impl Differing<'_> {
    /// Looks into these blocks, whose rows sum up to this.
    pub(super) async fn look(
        &self,
        blocks: &BTreeMap<Block, Sum>,
    ) -> Result<Differences, VerifyError> {
        let mut found = Differences::default();
        let mut unexplained: Vec<(Block, Records)> = Vec::new();
        let mut held = 0;
        for round in rounds(blocks.keys().copied()) {
            for (block, records) in self.records(&round).await? {
                let rows = blocks.get(&block).copied().unwrap_or_default();
                let explained = self.ids(block, &records, &mut found).await?;
                self.meter.advance(1);
                if explained != rows {
                    held += records.at.len();
                    unexplained.push((block, records));
                }
            }
            if held > OFFSETS {
                self.rows(std::mem::take(&mut unexplained), &mut found)
                    .await?;
                held = 0;
            }
        }
        self.rows(unexplained, &mut found).await?;
        Ok(found)
    }

    /// Reads blocks of different partitions.
    async fn records(&self, round: &[Block]) -> Result<Vec<(Block, Records)>, VerifyError> {
        let extent = |block: &Block| {
            let extents = self.extents.iter();
            extents
                .copied()
                .find(|extent| extent.partition == block.partition)
        };
        let spans: Vec<Span> = round
            .iter()
            .filter_map(|block| {
                let from = block.number * self.size;
                Some(span(&extent(block)?, from, from + self.size))
            })
            .collect();
        let (reader, stop) = (Arc::clone(&self.reader), Arc::clone(&self.stop));
        let (scope, size) = (self.scope.clone(), self.size);
        let mut blocks: BTreeMap<Block, Records> = round
            .iter()
            .map(|block| (*block, Records::default()))
            .collect();
        let reading = tokio::task::spawn_blocking(move || {
            let read = reader.read(&spans, &stop, |message| {
                let Some(records) = blocks.get_mut(&block_of(&message, size)) else {
                    return;
                };
                let offset = message.offset.cast_unsigned();
                let identity = message.identity().ok();
                records
                    .at
                    .insert(offset, identity.as_ref().map(|found| found.id));
                if let Some(identity) = identity.filter(|identity| is_asked(identity, &scope)) {
                    records.asked.push(Lone {
                        id: identity.id,
                        received_at: identity.received_at,
                        partition: message.partition.cast_unsigned(),
                        offset,
                    });
                }
            });
            read.map(|_| blocks)
        });
        Ok(reading.await??.into_iter().collect())
    }

    /// Looks for the rows of a block's records, and returns the sum of the block's rows among them.
    async fn ids(
        &self,
        block: Block,
        records: &Records,
        found: &mut Differences,
    ) -> Result<Sum, VerifyError> {
        let mut explained = Sum::default();
        for records_asked in records.asked.chunks(IDS) {
            let wanted: Vec<Wanted> = records_asked.iter().map(Lone::wanted).collect();
            let rows = self.tables.find(&wanted).await?;
            let has_row: HashSet<Uuid> = rows.iter().map(|row| row.id).collect();
            let ours = rows.iter().filter(|row| self.stands_in(row, block));
            let places: HashSet<(Uuid, u64)> = ours.map(|row| (row.id, row.kafka_offset)).collect();
            for record in records_asked {
                if !has_row.contains(&record.id) {
                    found.missing.add(record.clone(), self.limit);
                } else if places.contains(&(record.id, record.offset)) {
                    explained.add(record.id);
                } else {
                    found.copies += 1;
                }
            }
        }
        Ok(explained)
    }

    fn stands_in(&self, row: &Row, block: Block) -> bool {
        row.kafka_topic == self.scope.topic
            && row.kafka_partition == block.partition
            && row.kafka_offset / self.size == block.number
    }

    /// Rows that no record explains.
    async fn rows(
        &self,
        blocks: Vec<(Block, Records)>,
        found: &mut Differences,
    ) -> Result<(), VerifyError> {
        let numbers: Vec<Block> = blocks.iter().map(|(block, _)| *block).collect();
        if numbers.is_empty() {
            return Ok(());
        }
        let records: BTreeMap<Block, Records> = blocks.into_iter().collect();
        let rows = self.tables.rows_of(self.scope, &numbers, self.size).await?;
        let oldest = self.oldest(&numbers).await?;
        for row in rows {
            let block = Block {
                partition: row.kafka_partition,
                number: row.kafka_offset / self.size,
            };
            let explained = records.get(&block).is_some_and(|records| records.has(&row));
            let oldest = oldest.get(&row.kafka_partition).copied().flatten();
            match oldest {
                _ if explained => {}
                // Retention has passed it since the check began.
                Some((low, _)) if row.kafka_offset < low => {}
                Some((_, began)) if row.received_at < began => found.earlier_log += 1,
                _ => found.extra.add(Lone::of_row(&row), self.limit),
            }
        }
        Ok(())
    }

    /// The oldest offset of each partition, and when its record was received. Rows of an earlier log
    /// were received before that log went away.
    async fn oldest(
        &self,
        blocks: &[Block],
    ) -> Result<BTreeMap<u32, Option<(u64, Timestamp)>>, VerifyError> {
        let partitions: std::collections::BTreeSet<u32> =
            blocks.iter().map(|block| block.partition).collect();
        let (reader, stop) = (Arc::clone(&self.reader), Arc::clone(&self.stop));
        let asking = tokio::task::spawn_blocking(move || {
            let mut oldest = BTreeMap::new();
            for partition in partitions {
                let number = partition.cast_signed();
                let (low, high) = reader.bounds(number)?;
                let first = Span {
                    partition: number,
                    from: low,
                    to: high.min(low + 1),
                };
                let mut began = None;
                reader.read(&[first], &stop, |message| {
                    let identity = message.identity().ok();
                    let received_at =
                        identity.map_or_else(|| message.broker_time(), |found| found.received_at);
                    began = Some((message.offset.cast_unsigned(), received_at));
                })?;
                oldest.insert(partition, began);
            }
            Ok::<_, LogError>(oldest)
        });
        Ok(asking.await??)
    }
}

impl Lone {
    const fn wanted(&self) -> Wanted {
        Wanted {
            id: self.id,
            received_at: self.received_at,
        }
    }

    const fn of_row(row: &Row) -> Self {
        Self {
            id: row.id,
            received_at: row.received_at,
            partition: row.kafka_partition,
            offset: row.kafka_offset,
        }
    }
}

impl Records {
    /// Whether the record at a row's offset is the row's, or cannot be told.
    fn has(&self, row: &Row) -> bool {
        let known = self.at.get(&row.kafka_offset);
        known.is_some_and(|known| known.is_none_or(|id| id == row.id))
    }
}

/// Blocks in groups of one block of each partition, which are read side by side.
fn rounds(blocks: impl Iterator<Item = Block>) -> Vec<Vec<Block>> {
    let mut rounds: Vec<Vec<Block>> = Vec::new();
    let mut many: HashMap<u32, usize> = HashMap::new();
    for block in blocks {
        let round = many.entry(block.partition).or_default();
        if *round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*round].push(block);
        *round += 1;
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_one_block_of_each_partition() {
        let block = |(partition, number)| Block { partition, number };
        let blocks = [(0, 1), (0, 5), (1, 2), (2, 0), (2, 1), (2, 9)].map(block);
        let rounds = rounds(blocks.into_iter());
        let expected = [
            vec![(0, 1), (1, 2), (2, 0)],
            vec![(0, 5), (2, 1)],
            vec![(2, 9)],
        ];
        let expected = expected.map(|round| round.into_iter().map(block).collect::<Vec<_>>());
        assert_eq!(rounds, expected);
    }

    #[test]
    fn a_sample_counts_what_it_does_not_keep() {
        let mut sample = Sample::default();
        for number in 0..5 {
            sample.add(number, 2);
        }
        assert_eq!((sample.total, sample.some), (5, vec![0, 1]));
    }
}
