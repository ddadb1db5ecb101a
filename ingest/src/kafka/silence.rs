//! Whether Kafka confirms anything at all of what it is offered.
//!
//! Kafka may answer every question and yet take no record: too few replicas are in sync, or this user
//! may not write. Only deliveries show that. So the silence begins with a delivery that came to
//! nothing, lasts when others do as well, and is over with the first confirmation.
//!
//! Whoever is told so may send nothing any more, and then nothing could end it. So when nothing was
//! tried for a while, Kafka gets the benefit of the doubt, until the next delivery that comes to
//! nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tries that came to nothing lie at least so far apart; a pause of Kafka's is shorter.
const LASTS: Duration = Duration::from_secs(3);

/// Nothing was tried for so long: it may have ended unseen.
const RESTED: Duration = Duration::from_secs(30);

/// Deliveries by their outcome. What Kafka refuses for itself is neither: it says nothing of other
/// records.
#[derive(Debug, Default)]
pub(super) struct Tally {
    confirmed: AtomicU64,
    failed: AtomicU64,
    /// librdkafka's name of the last failure.
    last: Mutex<Option<String>>,
}

/// Deliveries at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    confirmed: u64,
    failed: u64,
    /// Whether any is under way.
    open: bool,
}

/// From look to look. Time comes from the callers.
#[derive(Debug, Default)]
pub(super) struct Silence {
    seen: Seen,
    /// The first and the last look since the last confirmation that showed a try come to nothing.
    tries: Option<(Instant, Instant)>,
}

impl Tally {
    pub(super) fn confirm(&self) {
        self.confirmed.fetch_add(1, Relaxed);
    }

    pub(super) fn fail(&self, code: &str) {
        self.failed.fetch_add(1, Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_deref() != Some(code) {
            *last = Some(code.to_owned());
        }
    }

    /// `open` are under way.
    pub(super) fn seen(&self, open: i64) -> Seen {
        Seen {
            confirmed: self.confirmed.load(Relaxed),
            failed: self.failed.load(Relaxed),
            open: open > 0,
        }
    }

    /// The name of the last failure since [`Tally::forget_last`].
    pub(super) fn last(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    pub(super) fn forget_last(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Silence {
    /// Kafka has answered a look. Whether it confirms nothing all the same.
    pub(super) fn lasts(&mut self, seen: Seen, now: Instant) -> bool {
        let before = std::mem::replace(&mut self.seen, seen);
        // Under way at two looks between which nothing got an outcome: the same one still waits.
        let waits = seen.open && before.open;
        if seen.confirmed != before.confirmed {
            self.tries = None;
        } else if seen.failed != before.failed || waits {
            let (first, _) = self.tries.unwrap_or((now, now));
            self.tries = Some((first, now));
        }
        self.tries
            .is_some_and(|(first, last)| last - first >= LASTS && now - last < RESTED)
    }

    /// Whether no try has come to nothing since the last confirmation.
    pub(super) fn is_unbegun(&self) -> bool {
        self.tries.is_none()
    }

    /// Kafka has not answered: what came to nothing by now, came to nothing because of that.
    pub(super) fn forget(&mut self, seen: Seen) {
        self.seen = seen;
        self.tries = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A silence that is looked at so many ms after the start, with so many deliveries confirmed,
    /// failed and under way.
    fn looks() -> impl FnMut(u64, u64, u64, i64) -> bool {
        let (mut silence, start) = (Silence::default(), Instant::now());
        move |millis, confirmed, failed, open| {
            let tally = Tally {
                confirmed: confirmed.into(),
                failed: failed.into(),
                last: Mutex::default(),
            };
            let now = start + Duration::from_millis(millis);
            silence.lasts(tally.seen(open), now)
        }
    }

    #[test]
    fn what_waits_on_and_on_shows_it_and_the_first_confirmation_ends_it() {
        let mut look = looks();
        assert!(!look(0, 7, 0, 5));
        assert!(!look(3_000, 7, 0, 5), "three seconds are a pause");
        assert!(!look(5_999, 7, 0, 5));
        assert!(look(6_000, 7, 0, 5));
        assert!(look(60_000, 7, 0, 5), "for as long as it lasts");
        assert!(!look(60_500, 8, 0, 4));
        assert!(!look(61_000, 8, 0, 4));
        assert!(look(64_000, 8, 0, 4), "again");
    }

    #[test]
    fn deliveries_that_fail_at_once_show_it() {
        let mut look = looks();
        for (millis, failed, expected) in [(0, 1, false), (2_900, 2, false), (3_000, 3, true)] {
            assert_eq!(look(millis, 0, failed, 0), expected, "{millis}");
        }
        assert!(!look(3_500, 1, 4, 0), "one among them was confirmed");
    }

    #[test]
    fn a_single_failure_shows_nothing() {
        let mut look = looks();
        for millis in [0, 3_000, 6_000, 100_000] {
            assert!(!look(millis, 0, 1, 0), "{millis}");
        }
        // Another one, however late, with nothing confirmed in between.
        assert!(look(200_000, 0, 2, 0));
    }

    #[test]
    fn while_deliveries_come_and_go_nothing_is_wrong() {
        let mut look = looks();
        for at in 0..100 {
            assert!(!look(at * 3_000, at, at, 9), "{at}");
        }
    }

    #[test]
    fn when_nothing_is_tried_it_may_be_over_until_the_next_try() {
        let mut look = looks();
        assert!(!look(0, 0, 1, 0));
        assert!(look(4_000, 0, 2, 0));
        assert!(look(33_999, 0, 2, 0));
        assert!(!look(34_000, 0, 2, 0), "30 s after the last try");
        assert!(!look(90_000, 0, 2, 1), "this one may arrive");
        assert!(look(90_500, 0, 3, 0), "it did not");
    }

    #[test]
    fn what_came_to_nothing_while_kafka_was_away_does_not_count() {
        let (mut silence, now) = (Silence::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        let tally = Tally::default();
        tally.fail("MessageTimedOut");
        assert!(!silence.lasts(tally.seen(0), now));
        tally.fail("MessageTimedOut");
        assert!(!silence.is_unbegun());
        silence.forget(tally.seen(3));
        assert!(silence.is_unbegun());
        assert!(!silence.lasts(tally.seen(0), after(60)));
        assert_eq!(tally.last().as_deref(), Some("MessageTimedOut"));
        tally.forget_last();
        assert_eq!(tally.last(), None);
    }
}
