//! Which rows were shown already: rows come to be loaded in another order than they were received.

use std::collections::BTreeSet;

use jiff::{Span, Timestamp};
use postback_store::reports::tail::{Arrived, RefusedRequest};
use uuid::Uuid;

/// Partitions of a topic are loaded side by side, instances of ingest publish side by side, and a
/// spool is drained late: what was received so long before the newest can still come to be loaded.
const BEHIND_MINUTES: i64 = 10;

/// Most rows of one look.
pub(super) const AT_ONCE: u32 = 10_000;

/// A row that is shown once.
pub(super) trait Shown {
    /// When it was received or refused, and its id.
    fn place(&self) -> (Timestamp, Uuid);
}

impl Shown for Arrived {
    fn place(&self) -> (Timestamp, Uuid) {
        (self.received_at, self.id)
    }
}

impl Shown for RefusedRequest {
    fn place(&self) -> (Timestamp, Uuid) {
        (self.refused_at, self.id)
    }
}

/// What was shown of the last minutes.
pub(super) struct Seen {
    newest: Timestamp,
    rows: BTreeSet<(Timestamp, Uuid)>,
}

impl Seen {
    /// These are the newest rows there are, and `now` stands in where there is none.
    pub(super) fn of(rows: &[impl Shown], now: Timestamp) -> Self {
        let rows: BTreeSet<_> = rows.iter().map(Shown::place).collect();
        Self {
            newest: rows.last().map_or(now, |(newest, _)| *newest).min(now),
            rows,
        }
    }

    /// From when on rows may come that were not shown.
    pub(super) fn since(&self) -> Timestamp {
        let before = self.newest.checked_sub(Span::new().minutes(BEHIND_MINUTES));
        before.unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Keeps those that were not shown, which they are now.
    pub(super) fn keep_new<R: Shown>(&mut self, rows: Vec<R>) -> Vec<R> {
        let is_new = |row: &R| self.rows.insert(row.place());
        let new: Vec<R> = rows.into_iter().filter(is_new).collect();
        let newest = new.iter().map(|row| row.place().0).max();
        self.newest = newest.map_or(self.newest, |newest| newest.max(self.newest));
        self.rows = self.rows.split_off(&(self.since(), Uuid::nil()));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(i64, u128);

    impl Shown for Row {
        fn place(&self) -> (Timestamp, Uuid) {
            (
                Timestamp::from_second(self.0).unwrap(),
                Uuid::from_u128(self.1),
            )
        }
    }

    fn ids(rows: &[Row]) -> Vec<u128> {
        rows.iter().map(|row| row.1).collect()
    }

    #[test]
    fn a_row_is_shown_once_and_a_late_one_all_the_same() {
        let now = Timestamp::from_second(10_000).unwrap();
        let mut seen = Seen::of(&[Row(9_000, 1), Row(9_100, 2)], now);
        assert_eq!(seen.since().as_second(), 9_100 - 600);
        let new = seen.keep_new(vec![Row(9_100, 2), Row(8_900, 3), Row(9_700, 4)]);
        assert_eq!(ids(&new), [3, 4]);
        assert_eq!(seen.since().as_second(), 9_100);
        // What is too old to be asked for again is not kept.
        assert_eq!(seen.rows.len(), 2);
        assert!(seen.keep_new(vec![Row(9_700, 4)]).is_empty());
    }

    #[test]
    fn where_there_is_nothing_it_begins_now() {
        let now = Timestamp::from_second(10_000).unwrap();
        assert_eq!(Seen::of(&[] as &[Row], now).since().as_second(), 9_400);
    }
}
