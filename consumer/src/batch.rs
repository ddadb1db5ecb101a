//! What is loaded at once: the judged records of all our partitions, in the order read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use postback_common::config::ConsumerSettings;

use crate::judge::Judged;
use crate::progress::{Epoch, Offset, Partition, Progress};

/// Bounds of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    rows: usize,
    bytes: usize,
    wait: Duration,
}

impl Bounds {
    /// No more rows or bytes fit.
    pub(crate) fn is_full(self, rows: usize, bytes: usize) -> bool {
        rows >= self.rows || bytes >= self.bytes
    }

    /// More records than fit into two batches, one being loaded and one being collected.
    pub(crate) fn is_many(self, records: u64) -> bool {
        records > 2 * self.rows as u64
    }

    pub(crate) fn of(settings: &ConsumerSettings) -> Self {
        Self {
            rows: settings.batch_max_rows,
            bytes: settings.batch_max_bytes,
            wait: settings.batch_max_wait,
        }
    }
}

/// What came from one partition.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) partition: Partition,
    pub(crate) epoch: Epoch,
    pub(crate) records: Vec<Judged>,
}

impl Part {
    /// The next offset behind the last record.
    pub(crate) fn end(&self) -> Offset {
        self.records.last().map_or(0, |record| record.offset + 1)
    }
}

/// Some records of a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) partition: Partition,
    pub(crate) records: &'a [Judged],
}

/// A batch being filled, then loaded.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    parts: BTreeMap<Partition, Part>,
    rows: usize,
    bytes: usize,
    opened: Option<Instant>,
}

impl Batch {
    /// Adds a record. Records of an older epoch of its partition are dropped: they will be read
    /// again.
    pub(crate) fn push(
        &mut self,
        partition: Partition,
        epoch: Epoch,
        record: Judged,
        now: Instant,
    ) {
        self.opened.get_or_insert(now);
        self.rows += 1;
        self.bytes += record.raw_bytes();
        let part = self.parts.entry(partition).or_insert_with(|| Part {
            partition,
            epoch,
            records: Vec::new(),
        });
        if part.epoch != epoch {
            let dropped = std::mem::take(&mut part.records);
            part.epoch = epoch;
            self.rows -= dropped.len();
            self.bytes -= dropped.iter().map(Judged::raw_bytes).sum::<usize>();
        }
        part.records.push(record);
    }

    /// Collects a partition under another epoch from now on, and keeps what is collected of it: its
    /// log began anew, and what was read of the old one can be read nowhere else.
    pub(crate) fn carry_over(&mut self, partition: Partition, epoch: Epoch) {
        if let Some(part) = self.parts.get_mut(&partition) {
            part.epoch = epoch;
        }
    }

    /// Drops the parts for which `keep` is false.
    fn retain(&mut self, keep: impl Fn(&Part) -> bool) {
        self.parts.retain(|_, part| keep(part));
        self.rows = self.parts().map(|part| part.records.len()).sum();
        self.bytes = self.records().map(|(_, record)| record.raw_bytes()).sum();
        if self.parts.is_empty() {
            self.opened = None;
        }
    }

    /// Drops what is no longer ours to store, or will be read again.
    pub(crate) fn retain_current(&mut self, progress: &Progress) {
        let is_current = |part: &Part| progress.is_current(part.partition, part.epoch);
        if !self.parts.values().all(is_current) {
            self.retain(is_current);
        }
    }

    /// The records with these numbers, counted through all parts in their order, as far as `keep`
    /// keeps their part: each part's with its partition.
    pub(crate) fn runs(
        &self,
        numbers: &Range<usize>,
        keep: impl Fn(&Part) -> bool,
    ) -> Vec<Run<'_>> {
        let mut runs = Vec::new();
        let mut begin = 0;
        for part in self.parts() {
            let many = part.records.len();
            let from = numbers.start.saturating_sub(begin).min(many);
            let to = numbers.end.saturating_sub(begin).min(many);
            begin += many;
            if from < to && keep(part) {
                let (partition, records) = (part.partition, &part.records[from..to]);
                runs.push(Run { partition, records });
            }
        }
        runs
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.values()
    }

    /// All records with their partition.
    pub(crate) fn records(&self) -> impl Iterator<Item = (Partition, &Judged)> {
        self.parts()
            .flat_map(|part| part.records.iter().map(|record| (part.partition, record)))
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How long its first record has waited.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.opened.map_or(Duration::ZERO, |opened| {
            now.saturating_duration_since(opened)
        })
    }

    /// No more rows or bytes fit.
    pub(crate) fn is_full(&self, bounds: Bounds) -> bool {
        bounds.is_full(self.rows, self.bytes)
    }

    /// When it must be loaded at the latest; `None` while it is empty.
    pub(crate) fn due_at(&self, bounds: Bounds) -> Option<Instant> {
        self.opened.map(|opened| opened + bounds.wait)
    }

    /// It is to be loaded now.
    pub(crate) fn is_due(&self, bounds: Bounds, now: Instant) -> bool {
        self.is_full(bounds) || self.due_at(bounds).is_some_and(|due| due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::judged;

    const BOUNDS: Bounds = Bounds {
        rows: 3,
        bytes: 100,
        wait: Duration::from_secs(1),
    };

    fn epochs() -> [Epoch; 2] {
        let mut progress = Progress::default();
        progress.assign([0, 1]);
        [
            progress.take(0, 0).unwrap().epoch,
            progress.take(1, 0).unwrap().epoch,
        ]
    }

    #[test]
    fn it_is_due_by_rows_bytes_or_age() {
        let (now, [epoch, _]) = (Instant::now(), epochs());
        let mut by_rows = Batch::default();
        assert!(
            !by_rows.is_due(BOUNDS, now + Duration::from_hours(1)),
            "nothing to load"
        );
        for offset in 0..3 {
            assert!(!by_rows.is_due(BOUNDS, now));
            by_rows.push(0, epoch, judged(offset, 1), now);
        }
        assert!(by_rows.is_due(BOUNDS, now) && by_rows.is_full(BOUNDS));

        let mut by_bytes = Batch::default();
        by_bytes.push(0, epoch, judged(0, 99), now);
        assert!(!by_bytes.is_due(BOUNDS, now));
        by_bytes.push(0, epoch, judged(1, 1), now);
        assert!(by_bytes.is_due(BOUNDS, now) && by_bytes.is_full(BOUNDS));

        let mut by_age = Batch::default();
        by_age.push(0, epoch, judged(0, 1), now);
        by_age.push(0, epoch, judged(1, 1), now + Duration::from_millis(900));
        assert!(!by_age.is_due(BOUNDS, now + Duration::from_millis(999)));
        assert!(by_age.is_due(BOUNDS, now + Duration::from_secs(1)));
        assert!(!by_age.is_full(BOUNDS));
        assert_eq!(
            by_age.age(now + Duration::from_secs(2)),
            Duration::from_secs(2)
        );
    }

    #[test]
    fn a_part_knows_its_range_and_a_new_epoch_replaces_it() {
        let (now, [old, new]) = (Instant::now(), epochs());
        let mut batch = Batch::default();
        batch.push(7, old, judged(10, 5), now);
        batch.push(7, old, judged(12, 5), now);
        let ranges: Vec<_> = batch
            .parts()
            .map(|part| (part.records[0].offset, part.end()))
            .collect();
        assert_eq!(ranges, [(10, 13)]);

        batch.push(7, new, judged(10, 5), now);
        assert_eq!((batch.rows(), batch.bytes()), (1, 5));
        let ranges: Vec<_> = batch
            .parts()
            .map(|part| (part.records[0].offset, part.end()))
            .collect();
        assert_eq!(ranges, [(10, 11)]);
    }

    #[test]
    fn records_are_numbered_through_all_parts() {
        let (now, [zero, one]) = (Instant::now(), epochs());
        let mut batch = Batch::default();
        for offset in 10..13 {
            batch.push(0, zero, judged(offset, 1), now);
        }
        for offset in 20..22 {
            batch.push(1, one, judged(offset, 1), now);
        }
        let runs = |numbers: Range<usize>, keep: fn(&Part) -> bool| {
            let runs = batch.runs(&numbers, keep).into_iter();
            let offsets = |run: Run<'_>| run.records.iter().map(|r| r.offset).collect::<Vec<_>>();
            runs.map(|run| (run.partition, offsets(run)))
                .collect::<Vec<_>>()
        };
        let all = [(0, vec![10, 11, 12]), (1, vec![20, 21])];
        assert_eq!(runs(0..5, |_| true), all);
        assert_eq!(runs(2..4, |_| true), [(0, vec![12]), (1, vec![20])]);
        assert_eq!(runs(3..4, |_| true), [(1, vec![20])]);
        assert_eq!(runs(0..5, |part| part.partition == 1), all[1..]);
        assert_eq!(runs(0..3, |part| part.partition == 1), []);
    }

    #[test]
    fn dropped_parts_are_not_counted() {
        let (now, [zero, one]) = (Instant::now(), epochs());
        let mut batch = Batch::default();
        batch.push(0, zero, judged(1, 10), now);
        batch.push(1, one, judged(1, 20), now);
        batch.retain(|part| part.partition == 1);
        assert_eq!((batch.rows(), batch.bytes()), (1, 20));
        batch.retain(|_| false);
        assert!(batch.rows() == 0 && batch.due_at(BOUNDS).is_none());
    }
}
