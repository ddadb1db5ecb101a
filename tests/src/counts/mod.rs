//! Everything that is interrupted counts once all the same.
//!
//! Each [`Scene`] has servers of its own, one or several consumers (the real binary), a sender that
//! goes on whatever happens, and a reader who polls the views meanwhile. Parts are killed, frozen,
//! added and taken away; then everything is left to settle, and the tables are held against what a
//! plain consumer finds in Kafka and what the sender's books say: see [`Account`].
//!
//! The tests run this for seconds, `cargo xtask soak load` for minutes.

mod account;
mod books;
mod crashes;
mod renames;
mod scenes;
mod sender;
mod stage;
mod watcher;

use std::fmt;
use std::time::Duration;

pub use account::Account;
pub use scenes::{back_at_work, run};

/// What is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// The consumer dies at every place of its code between reading and committing; then the group's
    /// offsets are deleted, and everything is loaded again.
    CrashPoints,
    /// Consumer, ClickHouse and broker are killed at random.
    Kills,
    /// Consumers join, leave, are killed, and stand still for longer than the group waits for them.
    Rebalances,
    /// ClickHouse dies between the renames of two parts of one insert.
    Renames,
    /// As kills, with three brokers of which one after the other is killed.
    ThreeBrokers,
}

impl Scene {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::CrashPoints,
        Self::Kills,
        Self::Rebalances,
        Self::Renames,
        Self::ThreeBrokers,
    ];

    /// Names topics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CrashPoints => "crash_points",
            Self::Kills => "kills",
            Self::Rebalances => "rebalances",
            Self::Renames => "renames",
            Self::ThreeBrokers => "three_brokers",
        }
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name().replace('_', " "))
    }
}

/// How long interruptions go on, and how much is sent meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    /// Of the scenes that have no end of their own.
    pub interruptions: Duration,
    /// Messages a second.
    pub rate: u32,
    /// What is random follows from it, as far as the machine lets it.
    pub seed: u64,
}

impl Length {
    /// For a test.
    #[must_use]
    pub const fn short() -> Self {
        Self {
            interruptions: Duration::from_secs(15),
            rate: 500,
            seed: 20_261_122,
        }
    }
}

/// xorshift64*, for what happens when.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }

    pub(crate) fn chosen<T: Copy>(&mut self, from: &[T]) -> T {
        let number = self.below(from.len() as u64);
        from[usize::try_from(number).expect("small")]
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}
