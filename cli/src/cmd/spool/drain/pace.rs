//! How fast it goes, and how long it takes yet.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use super::carrier::Progress;
use crate::output::{age, plural, size};

/// Measures from its making on.
pub(super) struct Pace {
    since: Instant,
    /// Bytes of all segments.
    bytes: u64,
}

impl Pace {
    pub(super) fn new(bytes: u64) -> Self {
        let since = Instant::now();
        Self { since, bytes }
    }

    /// One line for a person.
    pub(super) fn line(&self, progress: Progress) -> String {
        line(progress, self.bytes, self.since.elapsed())
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people"
)]
fn line(progress: Progress, bytes: u64, elapsed: Duration) -> String {
    let Progress {
        records,
        bytes: done,
        ..
    } = progress;
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = (records as f64 / seconds).round() as u64;
    let left = if done == 0 {
        "time left unknown".to_owned()
    } else {
        let left = bytes.saturating_sub(done) as f64 * seconds / done as f64;
        // Beyond any real spool, and within what a duration holds.
        let left = SignedDuration::from_secs(left.min(1e12) as i64);
        format!("{} left", age(left))
    };
    format!(
        "{} in Kafka, {} of {}, {rate}/s, {left}",
        plural(records, "record"),
        size(done),
        size(bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_from_what_is_done() {
        let progress = Progress {
            records: 50_000,
            bytes: 25_000_000,
            set_aside: 0,
        };
        let shown = line(progress, 100_000_000, Duration::from_secs(10));
        let expected = "50000 records in Kafka, 25.0 MB of 100.0 MB, 5000/s, 30 s left";
        assert_eq!(shown, expected);
        let shown = line(Progress::default(), 5_000, Duration::ZERO);
        let expected = "0 records in Kafka, 0 B of 5.0 kB, 0/s, time left unknown";
        assert_eq!(shown, expected);
    }
}
