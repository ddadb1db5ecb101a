//! How far a run is, for a person who watches and for a log; and what it found.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use postback_healing::backfill::{Finding, Progress};

use crate::output::{age, plural};
use crate::progress::{Shown, bar};
use crate::range;

/// Findings that are listed one by one.
pub(super) const LISTED: usize = 10_000;

/// Hears what a run says.
pub(super) struct Meter {
    zone: TimeZone,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Records that are yet to be loaded.
    waiting: u64,
    reading: Option<Reading>,
    found: Vec<Finding>,
    unlisted: u64,
}

/// By process date.
struct Reading {
    since: Instant,
    from: Timestamp,
    at: Timestamp,
    to: Timestamp,
    /// Before this run, and now.
    pulled_before: Option<u64>,
    pulled: u64,
}

impl Meter {
    pub(super) fn new(zone: TimeZone) -> Self {
        let state = Mutex::default();
        Self { zone, state }
    }

    /// What was found, and how many more.
    pub(super) fn into_findings(self) -> (Vec<Finding>, u64) {
        let state = self.state.into_inner();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        (state.found, state.unlisted)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Meter {
    fn waits(&self, records: u64) {
        self.state().waiting = records;
    }

    fn begins(&self, at: Timestamp, to: Timestamp) {
        self.state().reading = Some(Reading {
            since: Instant::now(),
            from: at,
            at,
            to,
            pulled_before: None,
            pulled: 0,
        });
    }

    fn reached(&self, through: Timestamp, pulled: u64) {
        if let Some(reading) = &mut self.state().reading {
            reading.pulled_before.get_or_insert(pulled);
            reading.at = through;
            reading.pulled = pulled;
        }
    }

    fn found(&self, finding: &Finding) {
        let mut state = self.state();
        if state.found.len() < LISTED {
            state.found.push(finding.clone());
        } else {
            state.unlisted += 1;
        }
    }
}

impl Shown for Meter {
    fn line(&self, with_bar: bool) -> String {
        let state = self.state();
        let waiting = state.waiting;
        match &state.reading {
            Some(reading) => reading.line(with_bar, &self.zone),
            None if waiting > 0 => format!(
                "waiting until what Kafka has is loaded: {} to go",
                plural(waiting, "record")
            ),
            None => String::new(),
        }
    }
}

impl Reading {
    fn line(&self, with_bar: bool, zone: &TimeZone) -> String {
        let before = self.pulled_before.unwrap_or(self.pulled);
        let done = self.at.duration_since(self.from).as_secs();
        let total = self.to.duration_since(self.from).as_secs();
        let text = line(
            self.pulled,
            self.pulled.saturating_sub(before),
            (done, total),
            self.since.elapsed(),
        );
        let through = range::shown(self.at.min(self.to), zone);
        let text = format!("fetching: {text}, at {through}");
        if with_bar {
            let part = |seconds: i64| u64::try_from(seconds).unwrap_or(0);
            format!("{} {text}", bar(part(done), part(total)))
        } else {
            text
        }
    }
}

/// `done` and `total` are seconds of the range: how many transactions are left, nobody says.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people"
)]
fn line(pulled: u64, of_this_run: u64, (done, total): (i64, i64), elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = (of_this_run as f64 / seconds).round() as u64;
    let left = if done <= 0 {
        "time left unknown".to_owned()
    } else {
        let left = (total - done).max(0) as f64 * seconds / done as f64;
        format!(
            "{} left",
            age(SignedDuration::from_secs(left.min(1e12) as i64))
        )
    };
    format!("{}, {rate}/s, {left}", plural(pulled, "transaction"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_from_what_is_done() {
        let shown = line(50_000, 30_000, (21_600, 86_400), Duration::from_secs(10));
        assert_eq!(shown, "50000 transactions, 3000/s, 30 s left");
        let shown = line(0, 0, (0, 600), Duration::ZERO);
        assert_eq!(shown, "0 transactions, 0/s, time left unknown");
        // The end moves with the present; what is done may be past it.
        let shown = line(1, 1, (700, 600), Duration::from_secs(1));
        assert_eq!(shown, "1 transaction, 1/s, 0 s left");
    }
}
