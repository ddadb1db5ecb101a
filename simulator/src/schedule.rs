//! When each postback is due, whatever becomes of those before it.

use std::time::Duration;

use crate::ledger::line::Kept;

/// Up to this a beginning counts as on time: what an operating system's timers and scheduler do to
/// anybody.
pub const ON_TIME: Duration = Duration::from_millis(10);

/// A fixed rate from one moment on.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    rate: u32,
}

impl Schedule {
    /// So many a second, at least one.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Schedule { rate: rate.max(1) }
    }

    /// When the postback of that number, counted from 0, is due after the begin.
    #[must_use]
    pub fn due(self, number: u64) -> Duration {
        let rate = u64::from(self.rate);
        let nanos = (number % rate) * 1_000_000_000 / rate;
        Duration::from_secs(number / rate) + Duration::from_nanos(nanos)
    }
}

impl Kept {
    /// Notes an attempt that began so long after its time.
    pub fn note(&mut self, late: Duration) {
        self.attempts += 1;
        self.late += u64::from(late > ON_TIME);
        self.latest_us = self.latest_us.max(micros(late));
    }
}

/// Whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_does_not_drift() {
        let schedule = Schedule::new(7);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_nanos(142_857_142));
        assert_eq!(schedule.due(7), Duration::from_secs(1));
        assert_eq!(schedule.due(7_000_000), Duration::from_secs(1_000_000));
        assert_eq!(Schedule::new(0).due(3), Duration::from_secs(3));
    }

    #[test]
    fn lateness_is_told() {
        let mut kept = Kept::default();
        for millis in [0, 10, 11, 300, 2] {
            kept.note(Duration::from_millis(millis));
        }
        let expected = Kept {
            attempts: 5,
            late: 2,
            latest_us: 300_000,
        };
        assert_eq!(kept, expected);
    }
}
