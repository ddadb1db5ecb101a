//! Whether a disabled endpoint may be switched on again now.
//!
//! An endpoint that is switched on although it fails is switched off again, and pushes are lost
//! meanwhile: so it must first answer test postbacks, and is switched on a few times a day at most.

use std::time::{Duration, Instant};

use crate::registered::Foreign;

/// Within 24 hours, whichever process did it. Attempts that the network refused count as well.
pub const MOST_A_DAY: u64 = 3;

/// Before the second probe, which must be answered as the first was.
pub const SECOND_AFTER: Duration = Duration::from_secs(3);

const SHORTEST: Duration = Duration::from_secs(1);
const FIRST_AT_MOST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// What is to be done about a disabled endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Probe it, and switch it on if it answers.
    Probe,
    /// Not yet: the last attempt failed a short while ago.
    Wait,
    /// Not any more: it was switched on as often as it may be within a day. A person has to look.
    Enough,
}

/// Why an endpoint is not switched on until a person has done something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It was switched on as often as it may be: [`Verdict::Enough`].
    Enough,
    /// What is registered is not the source's own.
    Foreign(Foreign),
}

/// Attempts to switch one endpoint on.
#[derive(Debug, Clone)]
pub struct Attempts {
    first_pause: Duration,
    failures: u32,
    not_before: Option<Instant>,
    /// What was said last of why it stays off.
    told: Option<Refusal>,
}

impl Attempts {
    /// For an endpoint that is polled so often.
    #[must_use]
    pub fn polled(every: Duration) -> Self {
        Self {
            first_pause: every.clamp(SHORTEST, FIRST_AT_MOST),
            failures: 0,
            not_before: None,
            told: None,
        }
    }

    /// Whether that is news; it is once, until there is another reason or the endpoint is on.
    pub fn is_news(&mut self, refusal: Refusal) -> bool {
        self.told.replace(refusal) != Some(refusal)
    }

    /// What is to be done now; `times` it was switched on within the last 24 hours.
    #[must_use]
    pub fn verdict(&self, now: Instant, times: u64) -> Verdict {
        if times >= MOST_A_DAY {
            Verdict::Enough
        } else if self.not_before.is_some_and(|not_before| now < not_before) {
            Verdict::Wait
        } else {
            Verdict::Probe
        }
    }

    /// The endpoint did not answer, or the network did not switch it on. Gives the pause before the
    /// next attempt: doubled up to a quarter of an hour.
    pub fn failed(&mut self, now: Instant) -> Duration {
        let doubled = self.first_pause.saturating_mul(1 << self.failures.min(16));
        let pause = doubled.min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.checked_add(pause);
        pause
    }

    /// It is on.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = None;
        self.told = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn three_times_a_day_and_no_more() {
        let attempts = Attempts::polled(seconds(300));
        let now = Instant::now();
        let verdicts: Vec<Verdict> = (0..5).map(|times| attempts.verdict(now, times)).collect();
        use Verdict::{Enough, Probe};
        assert_eq!(verdicts, [Probe, Probe, Probe, Enough, Enough]);
        let mut attempts = attempts;
        let (place, key) = (Foreign::Place, Foreign::Key);
        let told = [
            Refusal::Enough,
            Refusal::Enough,
            Refusal::Foreign(place),
            Refusal::Foreign(key),
            Refusal::Foreign(key),
        ];
        let told = told.map(|refusal| attempts.is_news(refusal));
        assert_eq!(told, [true, false, true, true, false]);
        attempts.succeeded();
        assert!(attempts.is_news(Refusal::Foreign(key)));
    }

    #[test]
    fn failures_are_waited_out_twice_as_long_each_time() {
        let mut attempts = Attempts::polled(seconds(300));
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert_eq!(attempts.verdict(now, 0), Verdict::Probe);
            let pause = attempts.failed(now);
            assert_eq!(attempts.verdict(now, 0), Verdict::Wait);
            let before = now + pause - Duration::from_millis(1);
            assert_eq!(attempts.verdict(before, 0), Verdict::Wait);
            now += pause;
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [60, 120, 240, 480, 900, 900, 900]);
        attempts.succeeded();
        assert_eq!(attempts.verdict(now, 0), Verdict::Probe);
        assert_eq!(attempts.failed(now), seconds(60));
    }

    #[test]
    fn an_endpoint_that_is_polled_often_is_tried_often() {
        let now = Instant::now();
        assert_eq!(Attempts::polled(seconds(5)).failed(now), seconds(5));
        assert_eq!(Attempts::polled(Duration::ZERO).failed(now), seconds(1));
    }
}
