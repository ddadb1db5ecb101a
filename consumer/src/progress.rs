//! How far each partition is: read, stored, committed.
//!
//! **An offset here is always the next one**: `next` is the next record to read, `stored` the next
//! record to store, `committed` what the group would begin with. For a partition that is ours
//! `committed ≤ stored ≤ next`.
//!
//! **An epoch is the right to finish a piece of work.** A partition gets a new one when it is
//! assigned and when it is rewound; it has none while it is somebody else's. Rows carry the epoch
//! under which they were read, and a piece of work whose epoch is gone is dropped: its partition
//! belongs to somebody who reads the same records again, or will be read again by us.

use std::collections::BTreeMap;

/// Number of a partition.
pub(crate) type Partition = i32;

/// The next offset.
pub(crate) type Offset = i64;

/// The right to finish work on a partition. Never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Epoch(u64);

/// Gives each epoch once.
#[derive(Debug, Default)]
struct Epochs(u64);

impl Epochs {
    fn give(&mut self) -> Epoch {
        self.0 += 1;
        Epoch(self.0)
    }
}

/// A record to work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// To work under.
    pub(crate) epoch: Epoch,
    /// Offsets between the record read before and this one; before the first one, between what the
    /// group had committed and it. A topic that is neither compacted nor written in transactions,
    /// such as ours, has none.
    pub(crate) skipped: u64,
    /// The offset that would have been next, where the log begins anew below it: the topic was
    /// deleted and made again, or cut short. Work on what was read before belongs to the old log.
    /// It may have happened while nobody read.
    pub(crate) restarted_at: Option<Offset>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    /// The epoch of its assignment, which outlives rewinding.
    assignment: Epoch,
    epoch: Epoch,
    /// False: nothing of it is to be read now.
    is_read: bool,
    /// What the group had committed when it became ours, as far as we were told.
    committed_before: Option<Offset>,
    offsets: Option<Offsets>,
    /// The next offset that the topic will give, as far as we were told.
    end: Offset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offsets {
    next: Offset,
    stored: Offset,
    committed: Offset,
}

/// All partitions that are ours now.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    positions: BTreeMap<Partition, Position>,
    epochs: Epochs,
    is_joined: bool,
}

impl Progress {
    /// Partitions are ours from now on.
    pub(crate) fn assign(&mut self, partitions: impl IntoIterator<Item = Partition>) {
        self.is_joined = true;
        for partition in partitions {
            let epoch = self.epochs.give();
            let position = Position {
                assignment: epoch,
                epoch,
                is_read: true,
                committed_before: None,
                offsets: None,
                end: 0,
            };
            self.positions.insert(partition, position);
        }
    }

    /// The group had committed this offset when the partition became ours: what is read first
    /// should stand there.
    pub(crate) fn begin_at(&mut self, partition: Partition, committed: Offset) {
        if let Some(position) = self.positions.get_mut(&partition) {
            position.committed_before = Some(committed);
        }
    }

    /// Partitions are no longer ours: revoked, or lost.
    pub(crate) fn revoke(&mut self, partitions: impl IntoIterator<Item = Partition>) {
        for partition in partitions {
            self.positions.remove(&partition);
        }
    }

    /// True once the group has given us an assignment, be it an empty one.
    pub(crate) fn is_joined(&self) -> bool {
        self.is_joined
    }

    /// All partitions that are ours, each with the epoch of its assignment and whether it is to be
    /// read now.
    pub(crate) fn assignments(&self) -> impl Iterator<Item = (Partition, Epoch, bool)> {
        let all = self.positions.iter();
        all.map(|(partition, position)| (*partition, position.assignment, position.is_read))
    }

    pub(crate) fn is_ours(&self, partition: Partition) -> bool {
        self.positions.contains_key(&partition)
    }

    /// True while work of that epoch may be finished.
    pub(crate) fn is_current(&self, partition: Partition, epoch: Epoch) -> bool {
        self.positions
            .get(&partition)
            .is_some_and(|position| position.epoch == epoch)
    }

    /// A record was read. `None` where it is not for us to work on: not ours, or not to be read now.
    ///
    /// A record below the next one is no repetition, for librdkafka delivers none: the log has begun
    /// anew, and with it everything that is known of the partition, under a new epoch.
    pub(crate) fn take(&mut self, partition: Partition, offset: Offset) -> Option<Taken> {
        let position = self
            .positions
            .get_mut(&partition)
            .filter(|position| position.is_read)?;
        // The group begins where its committed offset points, or at the topic's beginning: what
        // is before the first record read is not ours to store.
        let from_here = Offsets {
            next: offset,
            stored: offset,
            committed: offset,
        };
        let offsets = position.offsets.get_or_insert(Offsets {
            next: position.committed_before.unwrap_or(offset),
            ..from_here
        });
        let restarted_at = (offset < offsets.next).then_some(offsets.next);
        if restarted_at.is_some() {
            *offsets = from_here;
            position.epoch = self.epochs.give();
            position.end = offset;
        }
        let skipped = offset.abs_diff(offsets.next);
        offsets.next = offset + 1;
        Some(Taken {
            epoch: position.epoch,
            skipped,
            restarted_at,
        })
    }

    /// Everything before `end` is stored, as far as `epoch` is current. True if so.
    pub(crate) fn store(&mut self, partition: Partition, epoch: Epoch, end: Offset) -> bool {
        let position = self.positions.get_mut(&partition);
        let Some(position) = position.filter(|position| position.epoch == epoch) else {
            return false;
        };
        match &mut position.offsets {
            Some(offsets) if (offsets.stored..=offsets.next).contains(&end) => {
                offsets.stored = end;
                true
            }
            _ => false,
        }
    }

    /// Stops reading a partition, and goes back to what is not stored yet: work in flight loses
    /// its epoch.
    pub(crate) fn halt(&mut self, partition: Partition) {
        let epoch = self.epochs.give();
        if let Some(position) = self.positions.get_mut(&partition) {
            position.epoch = epoch;
            position.is_read = false;
            if let Some(offsets) = &mut position.offsets {
                offsets.next = offsets.stored;
            }
        }
    }

    /// Stops reading a partition in front of a record that was just taken; work on the records
    /// before it may be finished.
    pub(crate) fn stop(&mut self, partition: Partition, offset: Offset) {
        if let Some(position) = self.positions.get_mut(&partition) {
            position.is_read = false;
            if let Some(offsets) = &mut position.offsets {
                offsets.next = offset.clamp(offsets.stored, offsets.next);
            }
        }
    }

    /// Reads a partition again, from what is not stored yet. Returns where that is; `None` where
    /// the partition is not ours.
    pub(crate) fn go_on(&mut self, partition: Partition) -> Option<Offset> {
        self.halt(partition);
        let position = self.positions.get_mut(&partition)?;
        position.is_read = true;
        position.offsets.map(|offsets| offsets.next)
    }

    /// What is stored and not committed.
    pub(crate) fn uncommitted(&self) -> Vec<(Partition, Offset)> {
        let pending = |(partition, position): (&Partition, &Position)| {
            let offsets = position.offsets?;
            (offsets.stored > offsets.committed).then_some((*partition, offsets.stored))
        };
        self.positions.iter().filter_map(pending).collect()
    }

    /// The group took this offset.
    pub(crate) fn commit(&mut self, partition: Partition, offset: Offset) {
        if let Some(Position {
            offsets: Some(offsets),
            ..
        }) = self.positions.get_mut(&partition)
            && offset <= offsets.stored
        {
            offsets.committed = offsets.committed.max(offset);
        }
    }

    /// The next record that is not stored; `None` before the first one was read.
    #[cfg(test)]
    fn stored(&self, partition: Partition) -> Option<Offset> {
        self.positions
            .get(&partition)?
            .offsets
            .map(|offsets| offsets.stored)
    }

    /// The topic's partition ends here, or further on.
    pub(crate) fn see_end(&mut self, partition: Partition, end: Offset) {
        if let Some(position) = self.positions.get_mut(&partition) {
            position.end = position.end.max(end);
        }
    }

    /// Records behind what is stored, of all partitions that were read.
    pub(crate) fn whole_lag(&self) -> u64 {
        let behind = |position: &Position| {
            let stored = position.offsets?.stored;
            u64::try_from(position.end.saturating_sub(stored)).ok()
        };
        self.positions.values().filter_map(behind).sum()
    }

    /// Records behind what is committed. Before the first record was read `from` stands for it:
    /// what the group had committed, or the topic's beginning.
    pub(crate) fn lag(&self, partition: Partition, from: Option<Offset>) -> Option<u64> {
        let position = self.positions.get(&partition)?;
        let committed = position.offsets.map(|offsets| offsets.committed);
        let records = position.end.saturating_sub(committed.or(from)?);
        Some(u64::try_from(records).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(partitions: &[Partition]) -> Progress {
        let mut progress = Progress::default();
        progress.assign(partitions.iter().copied());
        progress
    }

    fn read_now(progress: &Progress) -> Vec<Partition> {
        let read = progress.assignments().filter(|(_, _, is_read)| *is_read);
        read.map(|(partition, _, _)| partition).collect()
    }

    #[test]
    fn what_is_stored_is_committed_and_only_once() {
        let mut progress = assigned(&[0, 1]);
        let epoch = progress.take(0, 100).unwrap().epoch;
        assert_eq!(
            progress.take(0, 101),
            Some(Taken {
                epoch,
                skipped: 0,
                restarted_at: None
            })
        );
        assert_eq!(progress.uncommitted(), [], "read is not stored");
        assert!(progress.store(0, epoch, 102));
        assert_eq!(progress.uncommitted(), [(0, 102)]);
        progress.commit(0, 102);
        assert_eq!(progress.uncommitted(), []);
        assert_eq!(progress.stored(0), Some(102));
        assert_eq!(progress.stored(1), None);
    }

    #[test]
    fn a_log_that_begins_anew_is_followed_from_its_beginning() {
        let mut progress = assigned(&[0]);
        let old = progress.take(0, 3000).unwrap().epoch;
        assert!(progress.store(0, old, 3001));
        progress.commit(0, 3001);
        progress.take(0, 3001).unwrap();

        let taken = progress.take(0, 0).unwrap();
        assert_eq!((taken.restarted_at, taken.skipped), (Some(3002), 0));
        assert_ne!(taken.epoch, old);
        for offset in 1..40 {
            assert_eq!(progress.take(0, offset).unwrap().restarted_at, None);
        }
        assert!(
            !progress.store(0, old, 30),
            "the old log's offsets mean nothing here"
        );
        assert_eq!(progress.uncommitted(), []);
        assert!(progress.store(0, taken.epoch, 40));
        assert_eq!(
            progress.uncommitted(),
            [(0, 40)],
            "a lower offset than before"
        );
    }

    #[test]
    fn work_for_a_partition_that_went_away_is_dropped_even_if_it_comes_back() {
        let mut progress = assigned(&[3]);
        let before = progress.take(3, 7).unwrap().epoch;
        progress.revoke([3]);
        assert!(!progress.is_current(3, before));
        assert!(!progress.store(3, before, 8));
        assert_eq!(progress.take(3, 8), None, "not ours");

        progress.assign([3]);
        assert!(
            !progress.store(3, before, 8),
            "somebody else may have gone further"
        );
        assert_eq!(progress.uncommitted(), []);
        let after = progress.take(3, 500).unwrap().epoch;
        assert_ne!(before, after);
        assert!(progress.store(3, after, 501));
        assert_eq!(progress.uncommitted(), [(3, 501)]);
    }

    #[test]
    fn an_assignment_outlives_rewinding_and_no_more() {
        let mut progress = assigned(&[0]);
        let of = |progress: &Progress| progress.assignments().next().map(|(_, epoch, _)| epoch);
        let first = of(&progress);
        progress.halt(0);
        progress.go_on(0);
        assert_eq!(of(&progress), first);
        progress.revoke([0]);
        progress.assign([0]);
        assert_ne!(of(&progress), first);
    }

    #[test]
    fn an_answer_to_an_old_commit_does_not_touch_a_new_assignment() {
        let mut progress = assigned(&[0]);
        let epoch = progress.take(0, 10).unwrap().epoch;
        progress.store(0, epoch, 11);
        progress.revoke([0]);
        progress.commit(0, 11);
        progress.assign([0]);
        progress.take(0, 5).unwrap();
        progress.commit(0, 11);
        let epoch = progress.take(0, 6).unwrap().epoch;
        assert!(progress.store(0, epoch, 7));
        assert_eq!(
            progress.uncommitted(),
            [(0, 7)],
            "11 was never stored by this assignment"
        );
    }

    #[test]
    fn gaps_are_normal() {
        let mut progress = assigned(&[0]);
        assert!(progress.take(0, 10).is_some());
        assert_eq!(
            progress.take(0, 20).map(|taken| taken.skipped),
            Some(9),
            "a compacted log has gaps"
        );
    }

    #[test]
    fn what_was_lost_while_nobody_read_is_counted_at_the_first_record() {
        let mut progress = assigned(&[0, 1, 2]);
        for (partition, committed) in [(0, 100), (1, 100), (2, 100), (3, 100)] {
            progress.begin_at(partition, committed);
        }
        let taken = progress.take(0, 100).unwrap();
        assert_eq!((taken.skipped, taken.restarted_at), (0, None));
        // Retention went past it.
        let taken = progress.take(1, 250).unwrap();
        assert_eq!((taken.skipped, taken.restarted_at), (150, None));
        assert!(progress.store(1, taken.epoch, 251));
        assert_eq!(progress.uncommitted(), [(1, 251)]);
        assert_eq!(progress.take(1, 251).unwrap().skipped, 0, "told once");
        // The topic was made again.
        let taken = progress.take(2, 0).unwrap();
        assert_eq!((taken.skipped, taken.restarted_at), (0, Some(100)));
        assert_eq!(progress.take(2, 1).unwrap().restarted_at, None);
        assert_eq!(progress.take(3, 7), None, "not ours");

        // Another assignment knows nothing of it.
        progress.revoke([1]);
        progress.assign([1]);
        assert_eq!(progress.take(1, 400).unwrap().skipped, 0);
    }

    #[test]
    fn a_halted_partition_goes_back_to_what_is_not_stored() {
        let mut progress = assigned(&[0, 1]);
        let epoch = progress.take(0, 10).unwrap().epoch;
        progress.take(0, 11).unwrap();
        assert!(progress.store(0, epoch, 11));
        let later = progress.take(0, 12).unwrap().epoch;
        progress.halt(0);
        assert!(!progress.store(0, later, 13));
        assert_eq!(progress.take(0, 13), None);
        assert_eq!(read_now(&progress), [1]);
        assert_eq!(
            progress.uncommitted(),
            [(0, 11)],
            "what was stored stays stored"
        );

        assert_eq!(progress.go_on(0), Some(11));
        assert_eq!(read_now(&progress), [0, 1]);
        assert!(progress.take(0, 11).is_some());
    }

    #[test]
    fn a_stopped_partition_finishes_what_it_read() {
        let mut progress = assigned(&[0]);
        let epoch = progress.take(0, 10).unwrap().epoch;
        progress.take(0, 11).unwrap();
        progress.stop(0, 11);
        assert_eq!(progress.take(0, 12), None);
        assert!(
            !progress.store(0, epoch, 12),
            "the record that stopped it is not stored"
        );
        assert!(progress.store(0, epoch, 11));
        assert_eq!(progress.go_on(0), Some(11));

        progress.take(0, 11).unwrap();
        progress.stop(0, 11);
        assert_eq!(progress.go_on(0), Some(11), "it stops in front of it again");
    }

    #[test]
    fn the_lag_is_what_is_not_committed_and_old_news_do_not_shrink_it() {
        let mut progress = assigned(&[0]);
        progress.see_end(0, 110);
        assert_eq!(progress.lag(0, None), None);
        assert_eq!(progress.lag(0, Some(90)), Some(20));
        let epoch = progress.take(0, 100).unwrap().epoch;
        assert_eq!(
            progress.lag(0, Some(90)),
            Some(10),
            "what comes first is where we begin"
        );
        progress.store(0, epoch, 101);
        assert_eq!(progress.lag(0, None), Some(10));
        progress.commit(0, 101);
        assert_eq!(progress.lag(0, None), Some(9));
        progress.see_end(0, 105);
        assert_eq!(progress.lag(0, None), Some(9));
        assert_eq!(progress.lag(1, Some(0)), None, "not ours");
    }

    #[test]
    fn nothing_beyond_what_was_read_can_be_stored() {
        let mut progress = assigned(&[0]);
        let epoch = progress.take(0, 10).unwrap().epoch;
        assert!(!progress.store(0, epoch, 12));
        assert!(!progress.store(0, epoch, 9));
        assert_eq!(progress.uncommitted(), []);
    }

    #[test]
    fn a_partition_that_was_never_read_goes_on_from_wherever_it_was() {
        let mut progress = assigned(&[0]);
        progress.halt(0);
        assert_eq!(progress.go_on(0), None);
        assert!(progress.take(0, 4).is_some());
        assert_eq!(progress.go_on(9), None);
    }

    #[test]
    fn work_of_before_a_halt_is_not_taken_when_the_partition_has_come_as_far_again() {
        let mut progress = assigned(&[0]);
        let before = progress.take(0, 10).unwrap().epoch;
        progress.take(0, 11).unwrap();
        assert!(progress.is_current(0, before));
        progress.halt(0);
        assert!(!progress.is_current(0, before));
        assert_eq!(progress.go_on(0), Some(10));
        progress.take(0, 10).unwrap();
        let after = progress.take(0, 11).unwrap().epoch;
        assert!(!progress.store(0, before, 12), "record 10 may be missing");
        assert_eq!(progress.uncommitted(), []);
        assert!(progress.is_current(0, after) && progress.store(0, after, 12));
    }

    #[test]
    fn going_on_takes_back_what_was_read_and_not_stored() {
        let mut progress = assigned(&[0]);
        let before = progress.take(0, 10).unwrap().epoch;
        progress.take(0, 11).unwrap();
        progress.stop(0, 11);
        assert_eq!(progress.go_on(0), Some(10));
        assert!(!progress.is_current(0, before));
    }
}
