//! Which partition a record goes to: all partitions take turns, each for one batch.
//!
//! An idempotent partition has one batch under way at a time. As soon as the next one for it has
//! waited for `linger.ms`, librdkafka's thread asks again and again, without a pause, whether the
//! one before is confirmed: with a broker that takes longer than `linger.ms`, a processor is spent on
//! it. librdkafka's own choice, which keeps to a partition for a multiple of `linger.ms`, leads there.
//! So a partition's turn is as long as a batch gathers, and it gathers its next one when all others
//! have had theirs.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::Partitioner;

/// The partitions' turns. A record has no key: any partition will do.
#[derive(Debug)]
pub(super) struct Turns {
    /// How long a turn is.
    turn: Duration,
    began: Instant,
    /// The latest time that is known, in ns since `began`.
    now: AtomicU64,
    partition: AtomicI32,
    /// When the turn ends, in ns since `began`.
    ends: AtomicU64,
}

impl Turns {
    /// As long as a client with this configuration gathers a batch.
    pub(super) fn of(config: &ClientConfig) -> Self {
        let linger = config.get("linger.ms");
        // Without it, librdkafka's own.
        let millis: f64 = linger.and_then(|value| value.parse().ok()).unwrap_or(5.0);
        // A record that comes as the batch leaves would wait behind it.
        let turn = Duration::try_from_secs_f64(millis / 1e3 * 0.95).unwrap_or_default();
        Self {
            turn,
            began: Instant::now(),
            now: AtomicU64::new(0),
            partition: AtomicI32::new(0),
            ends: AtomicU64::new(0),
        }
    }

    /// A record is offered at `now`.
    pub(super) fn offered(&self, now: Instant) {
        let now = now.saturating_duration_since(self.began);
        self.now.store(nanos(now), Relaxed);
    }

    /// Whose turn it is among `count`; a partition that is not available is passed over as
    /// long as there is another.
    fn present(&self, count: i32, is_available: impl Fn(i32) -> bool) -> i32 {
        let present = self.partition.load(Relaxed);
        let (now, ends) = (self.now.load(Relaxed), self.ends.load(Relaxed));
        if now < ends && present < count && is_available(present) {
            return present;
        }
        let mut following = (1..=count).map(|step| present.saturating_add(step) % count.max(1));
        let next = following.find(|partition| is_available(*partition));
        let next = next.unwrap_or(present % count.max(1));
        let taken = self.ends.compare_exchange(
            ends,
            now.saturating_add(nanos(self.turn)),
            Relaxed,
            Relaxed,
        );
        // Whoever comes second at the end of a turn finds the next one begun.
        if taken.is_ok() {
            self.partition.store(next, Relaxed);
        }
        next
    }
}

impl Partitioner for Turns {
    fn partition(
        &self,
        _topic: &str,
        _key: Option<&[u8]>,
        count: i32,
        is_available: impl Fn(i32) -> bool,
    ) -> i32 {
        self.present(count, is_available)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns of 9.5 ms, and a function that says whose it is so many µs after the start.
    fn turns() -> (Turns, impl Fn(&Turns, u64, i32, &[i32]) -> i32) {
        let mut config = ClientConfig::new();
        config.set("linger.ms", "10");
        let turns = Turns::of(&config);
        let at = |turns: &Turns, micros, count, gone: &[i32]| {
            turns.offered(turns.began + Duration::from_micros(micros));
            turns.present(count, |partition| !gone.contains(&partition))
        };
        (turns, at)
    }

    #[test]
    fn a_partition_gathers_one_batch_and_then_all_others_theirs() {
        let (turns, at) = turns();
        let seen: Vec<i32> = (0..12)
            .map(|step| at(&turns, step * 5_000, 3, &[]))
            .collect();
        assert_eq!(seen, [1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 0, 0]);
        // A turn begins with its first record, however late that comes.
        assert_eq!(at(&turns, 1_000_000, 3, &[]), 1);
        assert_eq!(at(&turns, 1_009_400, 3, &[]), 1);
        assert_eq!(at(&turns, 1_009_500, 3, &[]), 2);
    }

    #[test]
    fn what_is_not_available_is_passed_over_while_there_is_another() {
        let (turns, at) = turns();
        assert_eq!(at(&turns, 0, 4, &[]), 1);
        assert_eq!(at(&turns, 1, 4, &[1, 2]), 3, "within its turn");
        assert_eq!(at(&turns, 20_000, 4, &[0, 1, 2]), 3, "the only one");
        assert!((0..4).contains(&at(&turns, 40_000, 4, &[0, 1, 2, 3])));
    }

    #[test]
    fn the_number_of_partitions_may_change() {
        let (turns, at) = turns();
        assert_eq!(at(&turns, 0, 2, &[]), 1);
        assert_eq!(at(&turns, 1, 1, &[]), 0, "a topic made anew has fewer");
        assert_eq!(at(&turns, 2, 1, &[]), 0);
        assert_eq!(at(&turns, 20_000, 3, &[]), 1);
        assert_eq!(at(&turns, 40_000, 3, &[]), 2);
    }

    #[test]
    fn a_turn_is_as_long_as_the_client_gathers_a_batch() {
        let turn = |options: &[(&str, &str)]| {
            let mut config = ClientConfig::new();
            for (option, value) in options {
                config.set(*option, *value);
            }
            Turns::of(&config).turn
        };
        let micros = Duration::from_micros;
        assert_eq!(turn(&[("linger.ms", "2")]), micros(1_900));
        assert_eq!(turn(&[("linger.ms", "0.5")]), micros(475));
        assert_eq!(turn(&[]), micros(4_750));
        assert_eq!(turn(&[("linger.ms", "-1")]), Duration::ZERO);
    }
}
