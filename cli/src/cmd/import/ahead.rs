//! Rows that were received in the future.
//!
//! Of revisions of one file that say the same time, each is received one millisecond after the one
//! before it, so a file with thousands of one order ends seconds ahead. What corrects them and says
//! that time, too, would be older than they are if it were imported meanwhile, and silently not count.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// What an import waits for at most; a person would not for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at whether Ctrl-C was pressed.
const LOOK: Duration = Duration::from_millis(100);

/// How long it is until what begins then is newer than what was received at `last`. `None` where it is.
pub(super) fn left(last: Timestamp, now: Timestamp) -> Option<Duration> {
    // Which revision counts is said in milliseconds.
    let left = now.duration_until(last) + SignedDuration::from_millis(1);
    Duration::try_from(left).ok().filter(|left| !left.is_zero())
}

/// Whether there is something to wait for, and it is worth it.
pub(super) fn is_near(last: Timestamp) -> bool {
    left(last, Timestamp::now()).is_some_and(|left| left <= PATIENCE)
}

/// Waits until that time, where it is near. Whether it was not stopped.
pub(super) async fn wait(last: Timestamp, stop: &AtomicBool) -> bool {
    let begun = Instant::now();
    while let Some(left) = left(last, Timestamp::now()) {
        // A clock that is set back must not hold it up for ever.
        if left > PATIENCE || begun.elapsed() > PATIENCE {
            break;
        }
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        tokio::time::sleep(left.min(LOOK)).await;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_newer_begins_a_millisecond_behind_the_last_row() {
        let now: Timestamp = "2026-09-01T10:00:03Z".parse().unwrap();
        let left = |last: &str| left(last.parse().unwrap(), now);
        assert_eq!(left("2026-09-01T10:00:02Z"), None);
        assert_eq!(left("2026-09-01T10:00:02.999Z"), None);
        let half = Duration::from_micros(500);
        assert_eq!(left("2026-09-01T10:00:02.9995Z"), Some(half));
        let long = Duration::from_millis(2_001);
        assert_eq!(left("2026-09-01T10:00:05Z"), Some(long));
    }

    #[tokio::test]
    async fn ctrl_c_ends_it_and_nothing_is_waited_for_that_is_past_or_far() {
        let stopped = AtomicBool::new(true);
        let at = |seconds| Timestamp::now() + SignedDuration::from_secs(seconds);
        assert!(is_near(at(4)) && !wait(at(4), &stopped).await);
        for seconds in [-1, 3_600] {
            assert!(!is_near(at(seconds)) && wait(at(seconds), &stopped).await);
        }
    }
}
