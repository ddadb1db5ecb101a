//! A batch as it was judged: record by record, for ClickHouse did not take its rows whole.

use std::ops::Range;

use crate::batch::Batch;
use crate::judge::Judged;
use crate::progress::{Epoch, Offset, Partition};

/// The records of a batch, in its order.
#[derive(Debug)]
pub(super) struct Judgements {
    pub(super) parts: Vec<JudgedPart>,
}

/// What came from one partition.
#[derive(Debug)]
pub(super) struct JudgedPart {
    pub(super) partition: Partition,
    pub(super) epoch: Epoch,
    pub(super) records: Vec<Judged<'static>>,
}

/// Some records of a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) partition: Partition,
    pub(crate) records: &'a [Judged<'static>],
}

impl JudgedPart {
    /// The next offset behind the last record.
    pub(super) fn end(&self) -> Offset {
        self.records.last().map_or(0, |record| record.offset + 1)
    }
}

impl Judgements {
    /// Judges a batch's records again, by the rules by which they were judged.
    pub(super) fn of(batch: Batch) -> Self {
        let (parts, rules) = batch.into_parts();
        let judged = parts.map(|part| JudgedPart {
            partition: part.partition,
            epoch: part.epoch,
            records: part.judge_again(&rules),
        });
        Self {
            parts: judged.collect(),
        }
    }

    /// How many records there are.
    pub(super) fn records(&self) -> usize {
        self.parts.iter().map(|part| part.records.len()).sum()
    }

    /// The records with these numbers, counted through all parts in their order, as far as `keep`
    /// keeps their part: each part's with its partition.
    pub(super) fn runs(
        &self,
        numbers: &Range<usize>,
        keep: impl Fn(&JudgedPart) -> bool,
    ) -> Vec<Run<'_>> {
        let mut runs = Vec::new();
        let mut begin = 0;
        for part in &self.parts {
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
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::judge::tests::{RECORD, judge, judged, message, rules};
    use crate::progress::Progress;

    fn epochs() -> [Epoch; 2] {
        let mut progress = Progress::default();
        progress.assign([0, 1]);
        [
            progress.take(0, 0).unwrap().epoch,
            progress.take(1, 0).unwrap().epoch,
        ]
    }

    /// Offsets 10 to 12 of partition 0, 20 and 21 of partition 1.
    fn five() -> Judgements {
        let (now, [zero, one]) = (Instant::now(), epochs());
        let mut batch = Batch::new("t".into(), rules().into());
        for offset in 10..13 {
            batch.push(0, zero, &judged(offset, 1), now);
        }
        for offset in 20..22 {
            batch.push(1, one, &judged(offset, 1), now);
        }
        Judgements::of(batch)
    }

    #[test]
    fn records_are_numbered_through_all_parts() {
        let judgements = five();
        assert_eq!(judgements.records(), 5);
        let runs = |numbers: Range<usize>, keep: fn(&JudgedPart) -> bool| {
            let runs = judgements.runs(&numbers, keep).into_iter();
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
    fn records_are_judged_as_they_were_when_they_came() {
        let messages = [
            RECORD.as_bytes().to_vec(),
            RECORD.replace("rakuten-us", "long-gone").into_bytes(),
            RECORD.replace("transaction_date", "other").into_bytes(),
            b"nothing".to_vec(),
            b"\xffno record".to_vec(),
            Vec::new(),
        ];
        let (now, [epoch, _]) = (Instant::now(), epochs());
        let rules = Arc::new(rules());
        let mut batch = Batch::new("t".into(), Arc::clone(&rules));
        let mut expected = Vec::new();
        for (offset, bytes) in (0..).zip(&messages) {
            let mut message = message(bytes);
            message.offset = offset;
            let judged = judge(message, &rules).unwrap();
            batch.push(0, epoch, &judged, now);
            expected.push(format!("{judged:?}"));
        }
        let again = Judgements::of(batch);
        let again: Vec<_> = again.parts[0]
            .records
            .iter()
            .map(|record| format!("{record:?}"))
            .collect();
        assert_eq!(again, expected);
    }

    #[test]
    fn a_part_ends_behind_its_last_record() {
        let ends: Vec<_> = five().parts.iter().map(JudgedPart::end).collect();
        assert_eq!(ends, [13, 22]);
    }
}
