//! When the API is asked again.

use std::time::Duration;

/// However often it has failed.
const LONGEST: Duration = Duration::from_secs(3_600);

/// However long a network wants to be left alone.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3_600);

/// Pauses between polls: about as configured, and twice as long with each one that fails.
#[derive(Debug, Clone)]
pub struct Pace {
    every: Duration,
    failures: u32,
}

impl Pace {
    /// Between two polls that succeed.
    #[must_use]
    pub const fn new(every: Duration) -> Self {
        Self { every, failures: 0 }
    }

    /// The pause after a poll that said something. `random` is from 0 to below 1: several processes
    /// and sources do not ask at the same moment.
    pub fn after_success(&mut self, random: f64) -> Duration {
        self.failures = 0;
        jittered(self.every, random)
    }

    /// The pause after one that failed: doubled up to an hour, and never shorter than the network
    /// asks for.
    pub fn after_failure(&mut self, retry_after: Option<Duration>, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let doubled = self.every.saturating_mul(1 << self.failures.min(16));
        let pause = jittered(doubled.min(LONGEST.max(self.every)), random);
        pause.max(retry_after.unwrap_or_default().min(LONGEST_ASKED))
    }
}

/// ±10 %.
fn jittered(pause: Duration, random: f64) -> Duration {
    pause.mul_f64(0.9 + 0.2 * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Nearest millisecond: a tenth is no whole number of floating point.
    fn rounded(pause: Duration) -> Duration {
        let up = pause + Duration::from_micros(500);
        Duration::new(up.as_secs(), up.subsec_millis() * 1_000_000)
    }

    #[test]
    fn a_pause_is_a_tenth_more_or_less() {
        let mut pace = Pace::new(seconds(300));
        assert_eq!(rounded(pace.after_success(0.0)), seconds(270));
        assert_eq!(rounded(pace.after_success(MIDDLE)), seconds(300));
        assert!(pace.after_success(0.999_999) <= seconds(330));
    }

    #[test]
    fn failures_double_it_up_to_an_hour_and_a_success_ends_that() {
        let mut pace = Pace::new(seconds(300));
        let mut failed = || rounded(pace.after_failure(None, MIDDLE)).as_secs();
        let pauses: Vec<u64> = (0..6).map(|_| failed()).collect();
        assert_eq!(pauses, [600, 1_200, 2_400, 3_600, 3_600, 3_600]);
        for _ in 0..100 {
            assert_eq!(failed(), 3_600);
        }
        assert_eq!(rounded(pace.after_success(MIDDLE)), seconds(300));
        assert_eq!(rounded(pace.after_failure(None, MIDDLE)), seconds(600));
    }

    #[test]
    fn a_pause_that_is_configured_longer_is_never_shortened() {
        let mut pace = Pace::new(seconds(7_200));
        assert_eq!(rounded(pace.after_failure(None, MIDDLE)), seconds(7_200));
    }

    #[test]
    fn what_the_network_asks_for_is_honoured_within_a_day() {
        let mut pace = Pace::new(seconds(1));
        let asked = |pace: &mut Pace, seconds| {
            pace.after_failure(Some(Duration::from_secs(seconds)), MIDDLE)
        };
        assert_eq!(asked(&mut pace, 90), seconds(90));
        assert_eq!(rounded(asked(&mut pace, 1)), seconds(4));
        assert_eq!(asked(&mut pace, u64::MAX), seconds(86_400));
    }
}
