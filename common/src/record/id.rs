//! Ids that no two processes can both make.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use uuid::Uuid;

const COUNTER_BITS: u32 = 12;
const RAND_B_MASK: u64 = (1 << 62) - 1;

/// Makes UUIDv7 ids (RFC 9562, section 5.7), without a lock and without asking the OS again.
///
/// - 48 bits: Unix time in ms.
/// - 12 bits (`rand_a`): a counter within the millisecond. When it overflows, or the clock steps
///   back, the id's time runs ahead of the clock rather than repeat (RFC 9562, section 6.2).
/// - 62 bits (`rand_b`): drawn from the OS once per process. Two processes with the same 62 bits
///   and the same millisecond and counter would make one id, and a collision would be a loss.
#[derive(Debug)]
pub struct IdSource {
    process: u64,
    /// The last time and counter given out: ms << 12 | counter.
    last: AtomicU64,
}

/// The OS gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes for ids: {0}")]
pub struct IdSourceError(#[from] getrandom::Error);

impl IdSource {
    /// Draws the process's 62 bits.
    ///
    /// # Errors
    /// [`IdSourceError`] when the OS has no randomness; nothing should be accepted then.
    pub fn new() -> Result<Self, IdSourceError> {
        Ok(Self::from_bits(getrandom::u64()?))
    }

    fn from_bits(bits: u64) -> Self {
        Self {
            process: bits & RAND_B_MASK,
            last: AtomicU64::new(0),
        }
    }

    /// The next id. `now` is the time of the request; times before 1970 count as 1970.
    pub fn next(&self, now: Timestamp) -> Uuid {
        let now = u64::try_from(now.as_millisecond()).unwrap_or(0) << COUNTER_BITS;
        let following = |last: u64| now.max(last.saturating_add(1));
        // The ids need only be distinct, and the read-modify-write is that with any ordering.
        let last = self
            .last
            .update(Ordering::Relaxed, Ordering::Relaxed, following);
        self.compose(following(last))
    }

    fn compose(&self, time_and_counter: u64) -> Uuid {
        const VERSION: u64 = 0x7 << COUNTER_BITS;
        const VARIANT: u64 = 0b10 << 62;
        let counter = time_and_counter & ((1 << COUNTER_BITS) - 1);
        let time = time_and_counter >> COUNTER_BITS;
        Uuid::from_u64_pair(time << 16 | VERSION | counter, VARIANT | self.process)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn an_id_is_a_version_7_uuid_of_its_time() {
        let now: Timestamp = "2026-09-01T00:00:00Z".parse().unwrap();
        let id = IdSource::from_bits(u64::MAX).next(now);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (now.as_second().unsigned_abs(), 0));
    }

    #[test]
    fn ids_of_one_millisecond_differ_and_a_clock_that_steps_back_repeats_nothing() {
        let ids = IdSource::from_bits(7);
        let late = Timestamp::from_millisecond(1_800_000_000_000).unwrap();
        let early = Timestamp::from_millisecond(1_700_000_000_000).unwrap();
        let made: Vec<Uuid> = (0..10_000)
            .map(|n| ids.next(if n < 5_000 { late } else { early }))
            .collect();
        assert!(made.is_sorted(), "ids grow even when the clock does not");
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
    }

    #[test]
    fn threads_make_no_id_twice() {
        let ids = IdSource::new().unwrap();
        let now = Timestamp::now();
        let made: Vec<Uuid> = thread::scope(|scope| {
            let make = || (0..20_000).map(|_| ids.next(now)).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), 80_000);
    }

    #[test]
    fn two_processes_differ_in_62_bits() {
        let now = Timestamp::now();
        let [a, b] = [
            IdSource::new().unwrap().next(now),
            IdSource::new().unwrap().next(now),
        ];
        assert_ne!(a, b);
        assert_eq!(
            a.as_u128() >> 64,
            b.as_u128() >> 64,
            "only the process's bits tell them apart"
        );
    }
}
