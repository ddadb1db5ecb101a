//! How many records a reason may have. Pure.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Records that may come at once.
pub const BURST: u64 = 100;

/// Time after which one more may come: ten a second.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// A token bucket, kept as the time at which it will be full again (the generic cell rate algorithm),
/// so that no lock is needed and nothing has to fill it.
#[derive(Debug, Default)]
pub struct Limit {
    /// Nanoseconds on the caller's clock.
    full_at: AtomicU64,
}

impl Limit {
    /// Takes a token if there is one. `now` is the time on any clock that does not run backwards.
    pub fn take(&self, now: Duration) -> bool {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (now, interval) = (nanos(now), nanos(INTERVAL));
        let taken = |full_at: u64| {
            let full_at = full_at.max(now).saturating_add(interval);
            let empty = now.saturating_add(BURST * interval);
            (full_at <= empty).then_some(full_at)
        };
        self.full_at.try_update(Relaxed, Relaxed, taken).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(limit: &Limit, millis: u64, attempts: u64) -> u64 {
        let now = Duration::from_millis(millis);
        (0..attempts).map(|_| u64::from(limit.take(now))).sum()
    }

    #[test]
    fn a_burst_and_then_ten_a_second() {
        let limit = Limit::default();
        assert_eq!(taken(&limit, 5_000, 1_000), 100);
        assert_eq!(taken(&limit, 5_099, 10), 0);
        assert_eq!(taken(&limit, 5_100, 10), 1);
        assert_eq!(taken(&limit, 6_100, 1_000), 10);
        // A clock that another thread read a little earlier.
        assert_eq!(taken(&limit, 6_050, 10), 0);
        assert_eq!(taken(&limit, 3_600_000, 1_000), 100, "full, and no fuller");
    }
}
