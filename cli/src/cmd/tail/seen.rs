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
const MOST: usize = AT_ONCE as usize;

const LOST: &str =
    "10,000 rows or more came at once: the newest 10,000 are shown, what came before them is not";

const LATE: &str = "10,000 rows or more came in ten minutes, and a look takes the newest 10,000: what comes late may \
                    not be shown";

/// What a look brought.
pub(super) struct New<R> {
    /// Those that were not shown before.
    pub(super) rows: Vec<R>,
    /// Words about what is not among them.
    pub(super) missed: Option<&'static str>,
}

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
    /// Whether it was told that late rows may not be shown.
    was_full: bool,
}

impl Seen {
    /// These are the newest rows there are, and `now` stands in where there is none.
    pub(super) fn of(rows: &[impl Shown], now: Timestamp) -> Self {
        let rows: BTreeSet<_> = rows.iter().map(Shown::place).collect();
        Self {
            newest: rows.last().map_or(now, |(newest, _)| *newest).min(now),
            rows,
            was_full: false,
        }
    }

    /// From when on rows may come that were not shown.
    pub(super) fn since(&self) -> Timestamp {
        let before = self.newest.checked_sub(Span::new().minutes(BEHIND_MINUTES));
        before.unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Keeps those that were not shown, which they are now. A row of a clock that is ahead takes
    /// nothing with it: what comes before its time is looked for until `now` is there.
    pub(super) fn keep_new<R: Shown>(&mut self, rows: Vec<R>, now: Timestamp) -> New<R> {
        let is_full = rows.len() >= MOST;
        let mut reaches_back = false;
        let is_new = |row: &R| {
            let is_new = self.rows.insert(row.place());
            reaches_back |= !is_new && row.place().0 <= now;
            is_new
        };
        let rows = rows.into_iter().filter(is_new).collect();
        let past = self.rows.range(..=(now, Uuid::max())).next_back();
        self.newest = past.map_or(self.newest, |(newest, _)| self.newest.max(*newest));
        self.rows = self.rows.split_off(&(self.since(), Uuid::nil()));
        let missed = match (is_full, reaches_back) {
            (false, _) => None,
            (true, false) => Some(LOST),
            (true, true) => (!std::mem::replace(&mut self.was_full, true)).then_some(LATE),
        };
        New { rows, missed }
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
        let found = vec![Row(9_100, 2), Row(8_900, 3), Row(9_700, 4)];
        assert_eq!(ids(&seen.keep_new(found, now).rows), [3, 4]);
        assert_eq!(seen.since().as_second(), 9_100);
        // What is too old to be asked for again is not kept.
        assert_eq!(seen.rows.len(), 2);
        assert!(seen.keep_new(vec![Row(9_700, 4)], now).rows.is_empty());
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_hide_what_comes_after() {
        let now = Timestamp::from_second(10_000).unwrap();
        let mut seen = Seen::of(&[Row(9_900, 1)], now);
        let ahead = vec![Row(200_000, 2)];
        assert_eq!(ids(&seen.keep_new(ahead, now).rows), [2]);
        assert_eq!(seen.since().as_second(), 9_300);
        // It is found by every look from now on.
        let later = Timestamp::from_second(10_060).unwrap();
        let found = vec![Row(10_050, 3), Row(10_070, 4), Row(200_000, 2)];
        assert_eq!(ids(&seen.keep_new(found, later).rows), [3, 4]);
        assert_eq!(seen.since().as_second(), 9_450);
        // What was ahead by a hair is past by now.
        let later = Timestamp::from_second(10_071).unwrap();
        assert!(seen.keep_new(vec![Row(200_000, 2)], later).rows.is_empty());
        assert_eq!(seen.since().as_second(), 9_470);
    }

    /// Rows of these ids, all of one second.
    fn many(ids: std::ops::Range<u32>) -> Vec<Row> {
        ids.map(|id| Row(100_000, id.into())).collect()
    }

    #[test]
    fn what_a_full_look_leaves_out_is_told() {
        let now = Timestamp::from_second(100_001).unwrap();
        let mut seen = Seen::of(&[] as &[Row], now);
        assert_eq!(seen.keep_new(many(0..9_999), now).missed, None);
        let full = seen.keep_new(many(1..10_001), now);
        assert_eq!((full.rows.len(), full.missed), (2, Some(LATE)));
        // Late ones are told of once, lost ones each time.
        assert_eq!(seen.keep_new(many(2..10_002), now).missed, None);
        let mut other = many(20_000..29_999);
        // Seen again, it says nothing of what came before.
        other.push(Row(300_000, 1));
        seen.rows.insert(other[9_999].place());
        let other = seen.keep_new(other, now);
        assert_eq!((other.rows.len(), other.missed), (9_999, Some(LOST)));
        let again = seen.keep_new(many(40_000..50_000), now);
        assert_eq!((again.rows.len(), again.missed), (10_000, Some(LOST)));
        assert_eq!(seen.keep_new(many(40_000..40_001), now).missed, None);
    }

    #[test]
    fn where_there_is_nothing_it_begins_now() {
        let now = Timestamp::from_second(10_000).unwrap();
        assert_eq!(Seen::of(&[] as &[Row], now).since().as_second(), 9_400);
    }
}
