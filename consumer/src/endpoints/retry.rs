//! When what could not be fetched is tried again. Pure.

use std::time::{Duration, Instant};

use postback_store::endpoints::{Cause, Heal};

/// After the first failure; doubled with each one.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
const AGAIN_AT_MOST: Duration = Duration::from_secs(3_600);

/// What failed last, and until when it rests. Something else that is due does not wait for it: an
/// endpoint can be switched off while the day's fetch rests for an hour.
#[derive(Debug, Default)]
pub(super) struct Retry(Option<Failed>);

#[derive(Debug)]
struct Failed {
    heal: Heal,
    times: u32,
    until: Instant,
}

impl Retry {
    /// Whether `heal` failed lately, and is not to be tried again yet.
    pub(super) fn rests(&self, heal: &Heal, now: Instant) -> bool {
        let failed = self.0.as_ref().filter(|failed| failed.is_of(heal));
        failed.is_some_and(|failed| now < failed.until)
    }

    /// It failed.
    pub(super) fn failed(&mut self, heal: &Heal, now: Instant) {
        let failed = self.0.as_ref().filter(|failed| failed.is_of(heal));
        let before = failed.map_or(0, |failed| failed.times);
        let rest = AGAIN_AFTER.saturating_mul(1 << before.min(10));
        self.0 = Some(Failed {
            heal: *heal,
            times: before.saturating_add(1),
            until: now + rest.min(AGAIN_AT_MOST),
        });
    }

    /// Something was fetched: the network answers.
    pub(super) fn succeeded(&mut self) {
        self.0 = None;
    }
}

impl Failed {
    /// The day's has other ends each time where ClickHouse could not note that it began.
    fn is_of(&self, heal: &Heal) -> bool {
        self.heal == *heal || self.heal.cause == Cause::Daily && heal.cause == Cause::Daily
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heal(cause: Cause, from: &str, to: &str) -> Heal {
        Heal {
            cause,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        }
    }

    fn daily(to: &str) -> Heal {
        heal(Cause::Daily, "2026-09-01T00:00:00Z", to)
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_fails_rests_twice_as_long_each_time_and_at_most_an_hour() {
        let (mut retry, mut now) = (Retry::default(), Instant::now());
        let heal = daily("2026-09-04T00:00:00Z");
        assert!(!retry.rests(&heal, now));
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            retry.failed(&heal, now);
            let rest = MINUTE * minutes;
            assert!(retry.rests(&heal, now + rest - Duration::from_millis(1)));
            now += rest;
            assert!(!retry.rests(&heal, now), "after {minutes} minutes");
        }
    }

    #[test]
    fn what_else_is_due_does_not_wait_and_begins_anew() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        let day = daily("2026-09-04T00:00:00Z");
        for _ in 0..5 {
            retry.failed(&day, now);
        }
        let outage = heal(
            Cause::SwitchedOff,
            "2026-09-03T10:00:00Z",
            "2026-09-03T11:00:00Z",
        );
        assert!(!retry.rests(&outage, now));
        retry.failed(&outage, now);
        assert!(retry.rests(&outage, now));
        assert!(!retry.rests(&outage, now + MINUTE));
    }

    #[test]
    fn the_day_s_fetch_is_one_whatever_its_ends() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        retry.failed(&daily("2026-09-04T00:00:00Z"), now);
        assert!(retry.rests(&daily("2026-09-04T00:00:30Z"), now));
        retry.succeeded();
        assert!(!retry.rests(&daily("2026-09-04T00:00:30Z"), now));
    }
}
