//! When what could not be fetched is tried again. Pure.

use std::time::{Duration, Instant};

use postback_store::endpoints::{Cause, Heal};

/// After the first failure; doubled with each one.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
const AGAIN_AT_MOST: Duration = Duration::from_secs(3_600);
/// However long a network wants to be left alone.
const ASKED_AT_MOST: Duration = Duration::from_secs(24 * 3_600);
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// What failed, and until when each rests. Something else that is due does not wait for it: an endpoint
/// can be switched off while the day's fetch rests for an hour, and the day's fetch goes on while the
/// network refuses one that is too old.
///
/// What the network asks for holds for all of it: it is the network that rests.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failed: Vec<Failed>,
    quiet_until: Option<Instant>,
}

#[derive(Debug)]
struct Failed {
    heal: Heal,
    times: u32,
    until: Instant,
}

impl Retry {
    /// The first of what is due that does not rest.
    pub(super) fn first<'a>(
        &self,
        mut due: impl Iterator<Item = &'a Heal>,
        now: Instant,
    ) -> Option<&'a Heal> {
        if self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        due.find(|heal| !self.rests(heal, now))
    }

    /// Whether `heal` failed lately, and is not to be tried again yet.
    fn rests(&self, heal: &Heal, now: Instant) -> bool {
        let mut failed = self.failed.iter().filter(|failed| failed.is_of(heal));
        failed.any(|failed| now < failed.until)
    }

    /// It failed; `asked` is how long the network wants to be left alone.
    pub(super) fn failed(&mut self, heal: &Heal, asked: Option<Duration>, now: Instant) {
        self.quiet_until = asked.map(|asked| now + asked.min(ASKED_AT_MOST));
        let failed = self.failed.iter().find(|failed| failed.is_of(heal));
        let before = failed.map_or(0, |failed| failed.times);
        let rest = AGAIN_AFTER.saturating_mul(1 << before.min(10));
        // What was due once and is so no more is forgotten.
        let is_old = |failed: &Failed| now > failed.until + FORGOTTEN_AFTER;
        self.failed
            .retain(|failed| !failed.is_of(heal) && !is_old(failed));
        self.failed.push(Failed {
            heal: *heal,
            times: before.saturating_add(1),
            until: now + rest.min(AGAIN_AT_MOST),
        });
    }

    /// Something was fetched: the network answers.
    pub(super) fn succeeded(&mut self) {
        self.failed.clear();
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
            retry.failed(&heal, None, now);
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
            retry.failed(&day, None, now);
        }
        let outage = heal(
            Cause::SwitchedOff,
            "2026-09-03T10:00:00Z",
            "2026-09-03T11:00:00Z",
        );
        assert!(!retry.rests(&outage, now));
        retry.failed(&outage, None, now);
        assert!(retry.rests(&outage, now));
        assert!(!retry.rests(&outage, now + MINUTE));
    }

    #[test]
    fn what_rests_is_passed_over_and_each_rests_by_itself() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        let too_old = heal(
            Cause::SwitchedOff,
            "2026-08-20T10:00:00Z",
            "2026-08-28T11:00:00Z",
        );
        let day = daily("2026-09-04T00:00:00Z");
        let due = [too_old, day];
        let first = |retry: &Retry, now| retry.first(due.iter(), now).copied();
        assert_eq!(first(&retry, now), Some(too_old));
        retry.failed(&too_old, None, now);
        assert_eq!(first(&retry, now), Some(day));
        retry.failed(&day, None, now);
        assert_eq!(first(&retry, now), None);
        // A minute later both are tried, and the first one's second failure counts as that.
        let later = now + MINUTE;
        assert_eq!(first(&retry, later), Some(too_old));
        retry.failed(&too_old, None, later);
        assert_eq!(first(&retry, later), Some(day));
        retry.failed(&day, None, later);
        assert_eq!(first(&retry, later + MINUTE), None);
        assert_eq!(first(&retry, later + 2 * MINUTE), Some(too_old));
    }

    #[test]
    fn nothing_is_asked_for_while_the_network_wants_to_be_left_alone() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        let day = daily("2026-09-04T00:00:00Z");
        let outage = heal(
            Cause::SwitchedOff,
            "2026-09-03T10:00:00Z",
            "2026-09-03T11:00:00Z",
        );
        let due = [outage, day];
        let first = |retry: &Retry, now| retry.first(due.iter(), now).copied();
        // For an hour: longer than a first failure rests.
        retry.failed(&outage, Some(60 * MINUTE), now);
        assert_eq!(first(&retry, now + 59 * MINUTE), None);
        assert_eq!(first(&retry, now + 60 * MINUTE), Some(outage));
        // For less than that: what else is due waits for no more.
        let now = now + 60 * MINUTE;
        retry.failed(&outage, Some(MINUTE / 2), now);
        assert_eq!(first(&retry, now + MINUTE / 2), Some(day));
        assert_eq!(first(&retry, now + 2 * MINUTE), Some(outage));
        // For ever is a day.
        retry.failed(&outage, Some(Duration::MAX), now);
        let tomorrow = now + 24 * 60 * MINUTE;
        assert_eq!(first(&retry, tomorrow - MINUTE), None);
        assert_eq!(first(&retry, tomorrow), Some(outage));
    }

    #[test]
    fn what_failed_long_ago_is_forgotten() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        for hour in 0..100 {
            let to = format!("2026-09-{:02}T{:02}:00:00Z", 5 + hour / 24, hour % 24);
            let outage = heal(Cause::SwitchedOff, "2026-09-01T00:00:00Z", &to);
            retry.failed(&outage, None, now + 60 * MINUTE * hour);
        }
        assert!(retry.failed.len() <= 26, "{}", retry.failed.len());
    }

    #[test]
    fn the_day_s_fetch_is_one_whatever_its_ends() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        retry.failed(&daily("2026-09-04T00:00:00Z"), None, now);
        assert!(retry.rests(&daily("2026-09-04T00:00:30Z"), now));
        retry.succeeded();
        assert!(!retry.rests(&daily("2026-09-04T00:00:30Z"), now));
    }
}
