//! What a check found.

use std::collections::BTreeMap;

use postback_store::verify::{Block, Fault, Group, KeyFinding, Sum};

use super::differing::{Differences, Sample};

/// The sums of the rows, by where they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) blocks: BTreeMap<Block, Sum>,
    /// Rows under offsets that the topic no longer has.
    pub(super) older: u64,
    /// Rows whose offset is not committed yet.
    pub(super) beyond: u64,
    /// Rows that came from another topic.
    pub(super) other_topic: u64,
}

impl Rows {
    pub(super) fn add(&mut self, group: Group, sum: Sum) {
        match group {
            Group::Block(block) => self.blocks.entry(block).or_default().merge(sum),
            Group::Older => self.older += sum.count,
            Group::Beyond => self.beyond += sum.count,
            Group::OtherTopic => self.other_topic += sum.count,
        }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Records of the topic in the scope.
    pub(super) records: u64,
    /// Records of later versions.
    pub(super) unreadable: u64,
    pub(super) rows: Rows,
    pub(super) differences: Differences,
    keys: BTreeMap<Fault, Sample<KeyFinding>>,
}

impl Outcome {
    /// Adds what one share of the keys has.
    pub(super) fn add(&mut self, fault: Fault, total: u64, some: Vec<KeyFinding>, limit: usize) {
        let sample = self.keys.entry(fault).or_default();
        sample.total += total;
        let room = limit.saturating_sub(sample.some.len());
        sample.some.extend(some.into_iter().take(room));
    }

    pub(super) fn total(&self, fault: Fault) -> u64 {
        self.keys.get(&fault).map_or(0, |sample| sample.total)
    }

    pub(super) fn some(&self, fault: Fault) -> &[KeyFinding] {
        self.keys.get(&fault).map_or(&[], |sample| &sample.some)
    }

    /// Whether nothing is wrong.
    pub(super) fn is_well(&self) -> bool {
        let wrong = |fault: &Fault| *fault != Fault::OlderCounts && self.total(*fault) > 0;
        self.differences.missing.total == 0
            && self.differences.extra.total == 0
            && !Fault::ALL.iter().any(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_revision_that_counts_is_no_fault_and_the_others_are() {
        for fault in Fault::ALL {
            let mut outcome = Outcome::default();
            assert!(outcome.is_well());
            outcome.add(fault, 3, Vec::new(), 20);
            outcome.add(fault, 4, Vec::new(), 20);
            assert_eq!(outcome.total(fault), 7);
            assert_eq!(outcome.is_well(), fault == Fault::OlderCounts, "{fault:?}");
        }
    }
}
