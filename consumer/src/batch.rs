//! What is loaded at once: the records of all our partitions, judged and written as rows.
//!
//! A record becomes rows at once, and what was judged is forgotten: a batch holds each byte once, in
//! the form in which it is sent, and in few large pieces. The rare batch that ClickHouse does not take
//! whole is judged again, from what it was made of ([`Part::judge_again`]), by the same rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postback_common::config::ConsumerSettings;
use postback_normalise::Rules;
use postback_store::history::Kept;
use postback_store::insert::{Conversions, Postbacks};
use uuid::Uuid;

use crate::judge::{Examined, Judged};
use crate::progress::{Epoch, Offset, Partition, Progress};
use crate::rows;
use crate::tally::Tally;

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
    pub(crate) conversions: Conversions,
    pub(crate) postbacks: Postbacks,
    pub(crate) tally: Tally,
    records: Vec<Origin>,
    bytes: usize,
}

/// What a row of `postbacks` was made of, but for its column `raw`.
#[derive(Debug)]
struct Origin {
    offset: Offset,
    id: Uuid,
    received_at: Timestamp,
}

impl Part {
    fn new(partition: Partition, epoch: Epoch) -> Self {
        Self {
            partition,
            epoch,
            conversions: Conversions::default(),
            postbacks: Postbacks::default(),
            tally: Tally::default(),
            records: Vec::new(),
            bytes: 0,
        }
    }

    fn push(&mut self, topic: &str, record: &Judged<'_>) {
        for row in rows::of_conversions(record) {
            self.conversions.push(&row);
        }
        self.postbacks
            .push(&rows::postback(topic, self.partition, record));
        self.tally.add(record, false);
        self.bytes += record.bytes();
        self.records.push(Origin {
            offset: record.offset,
            id: record.id,
            received_at: record.received_at,
        });
    }

    /// The next offset behind the last record.
    pub(crate) fn end(&self) -> Offset {
        self.records.last().map_or(0, |record| record.offset + 1)
    }

    /// Its records as they were judged when they came. The rows are dropped.
    pub(crate) fn judge_again(mut self, rules: &Rules) -> Vec<Judged<'static>> {
        let judged = |(origin, raw): (&Origin, &str)| {
            let kept = Kept {
                id: origin.id,
                received_at: origin.received_at,
                partition: self.partition,
                offset: origin.offset,
                raw: raw.to_owned(),
            };
            Examined::again(&kept).judge(rules).into_owned()
        };
        let raws = self.postbacks.raws();
        self.records.iter().zip(raws).map(judged).collect()
    }
}

/// A batch being filled, then loaded.
#[derive(Debug)]
pub(crate) struct Batch {
    topic: Arc<str>,
    /// By which its records are judged: those of the moment when its first one came.
    rules: Arc<Rules>,
    parts: BTreeMap<Partition, Part>,
    rows: usize,
    bytes: usize,
    opened: Option<Instant>,
}

impl Batch {
    /// An empty one of records of this topic.
    pub(crate) fn new(topic: Arc<str>, rules: Arc<Rules>) -> Self {
        Self {
            topic,
            rules,
            parts: BTreeMap::new(),
            rows: 0,
            bytes: 0,
            opened: None,
        }
    }

    /// Takes what was collected; an empty batch remains.
    pub(crate) fn take(&mut self) -> Self {
        let empty = Self::new(Arc::clone(&self.topic), Arc::clone(&self.rules));
        std::mem::replace(self, empty)
    }

    /// The rules for its next record.
    pub(crate) fn rules(&mut self, current: impl FnOnce() -> Arc<Rules>) -> Arc<Rules> {
        if self.parts.is_empty() {
            self.rules = current();
        }
        Arc::clone(&self.rules)
    }

    /// Adds a record, judged by [`Batch::rules`]. Records of an older epoch of its partition are
    /// dropped: they will be read again.
    pub(crate) fn push(
        &mut self,
        partition: Partition,
        epoch: Epoch,
        record: &Judged<'_>,
        now: Instant,
    ) {
        self.opened.get_or_insert(now);
        let part = self
            .parts
            .entry(partition)
            .or_insert_with(|| Part::new(partition, epoch));
        if part.epoch != epoch {
            self.rows -= part.records.len();
            self.bytes -= part.bytes;
            *part = Part::new(partition, epoch);
        }
        self.rows += 1;
        self.bytes += record.bytes();
        part.push(&self.topic, record);
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
        self.bytes = self.parts().map(|part| part.bytes).sum();
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

    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.values()
    }

    pub(crate) fn parts_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        self.parts.values_mut()
    }

    /// Its rows of `conversions` are stored: their memory goes to the batch that is being collected.
    /// What has to be judged again is made of the rows of `postbacks`.
    pub(crate) fn forget_conversions(&mut self) {
        for part in self.parts.values_mut() {
            part.conversions = Conversions::default();
        }
    }

    /// All parts, and the rules by which their records were judged.
    pub(crate) fn into_parts(self) -> (impl Iterator<Item = Part>, Arc<Rules>) {
        (self.parts.into_values(), self.rules)
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
    use crate::judge::tests::{judged, rules};

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
        let mut by_rows = Batch::new("t".into(), rules().into());
        assert!(
            !by_rows.is_due(BOUNDS, now + Duration::from_hours(1)),
            "nothing to load"
        );
        for offset in 0..3 {
            assert!(!by_rows.is_due(BOUNDS, now));
            by_rows.push(0, epoch, &judged(offset, 1), now);
        }
        assert!(by_rows.is_due(BOUNDS, now) && by_rows.is_full(BOUNDS));

        let mut by_bytes = Batch::new("t".into(), rules().into());
        by_bytes.push(0, epoch, &judged(0, 99), now);
        assert!(!by_bytes.is_due(BOUNDS, now));
        by_bytes.push(0, epoch, &judged(1, 1), now);
        assert!(by_bytes.is_due(BOUNDS, now) && by_bytes.is_full(BOUNDS));

        let mut by_age = Batch::new("t".into(), rules().into());
        by_age.push(0, epoch, &judged(0, 1), now);
        by_age.push(0, epoch, &judged(1, 1), now + Duration::from_millis(900));
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
        let mut batch = Batch::new("t".into(), rules().into());
        batch.push(7, old, &judged(10, 5), now);
        batch.push(7, old, &judged(12, 5), now);
        let ranges: Vec<_> = batch
            .parts()
            .map(|part| (part.records[0].offset, part.end()))
            .collect();
        assert_eq!(ranges, [(10, 13)]);

        batch.push(7, new, &judged(10, 5), now);
        assert_eq!((batch.rows(), batch.bytes()), (1, 5));
        let ranges: Vec<_> = batch
            .parts()
            .map(|part| (part.records[0].offset, part.end()))
            .collect();
        assert_eq!(ranges, [(10, 11)]);
    }

    #[test]
    fn dropped_parts_are_not_counted() {
        let (now, [zero, one]) = (Instant::now(), epochs());
        let mut batch = Batch::new("t".into(), rules().into());
        batch.push(0, zero, &judged(1, 10), now);
        batch.push(1, one, &judged(1, 20), now);
        batch.retain(|part| part.partition == 1);
        assert_eq!((batch.rows(), batch.bytes()), (1, 20));
        batch.retain(|_| false);
        assert!(batch.rows() == 0 && batch.due_at(BOUNDS).is_none());
    }

    #[test]
    fn new_rules_begin_with_an_empty_batch() {
        let (now, [epoch, _]) = (Instant::now(), epochs());
        let (first, second) = (Arc::new(rules()), Arc::new(rules()));
        let mut batch = Batch::new("t".into(), Arc::clone(&first));
        assert!(Arc::ptr_eq(&batch.rules(|| Arc::clone(&second)), &second));
        batch.push(0, epoch, &judged(0, 1), now);
        assert!(Arc::ptr_eq(&batch.rules(|| Arc::clone(&first)), &second));
        batch.take();
        assert!(Arc::ptr_eq(&batch.rules(|| Arc::clone(&first)), &first));
    }

    #[test]
    fn what_was_read_of_a_log_that_is_gone_is_kept_and_what_is_read_again_is_not() {
        let now = Instant::now();
        let mut progress = Progress::default();
        progress.assign([0, 1]);
        let old = progress.take(0, 100).unwrap().epoch;
        let other = progress.take(1, 5).unwrap().epoch;
        let mut batch = Batch::new("t".into(), rules().into());
        batch.push(0, old, &judged(100, 1), now);
        batch.push(1, other, &judged(5, 1), now);
        // The topic was made again.
        let new = progress.take(0, 0).unwrap().epoch;
        batch.carry_over(0, new);
        batch.push(0, new, &judged(0, 1), now);
        batch.retain_current(&progress);
        assert_eq!(batch.rows(), 3);
        // Rewound: it comes again.
        progress.halt(0);
        batch.retain_current(&progress);
        let left: Vec<_> = batch.parts().map(|part| part.partition).collect();
        assert_eq!((left, batch.rows()), (vec![1], 1));
    }
}
