//! Faults while an ingest is under load, and the account of what it promised.
//!
//! Each [`Fault`] has a stage of its own: one broker, one ingest (the real binary, with the
//! contract's 250 ms), one sender at a fixed rate that goes on whatever happens. The fault comes and
//! goes; the stage waits until the spool is empty again; ingest ends. Then the sender's ledger is
//! held against what a plain consumer finds in Kafka: see [`Account`].
//!
//! The tests run this with seconds of fault, `cargo xtask soak ingest` at full length.

mod account;
mod disk;
mod script;
mod stage;

use std::fmt;
use std::time::Duration;

pub use account::Account;
pub use script::run;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The broker stands still and keeps its connections.
    KafkaFrozen,
    /// The broker is killed, and started again later.
    KafkaAway,
    /// Somebody deletes the topic and makes it again.
    TopicMadeAgain,
    /// Syncs do not return; Kafka is there.
    DiskHangs,
    /// Syncs do not return, and the broker stands still.
    DiskHangsAndKafkaFrozen,
    /// Syncs fail, and the broker stands still.
    DiskFailsAndKafkaFrozen,
    /// Ingest is killed; a supervisor that holds its socket starts it again.
    IngestKilled,
    /// The same while the broker stands still.
    IngestKilledAndKafkaFrozen,
    /// The same while the broker stands still and syncs do not return: what was not synced is gone.
    IngestKilledAndNowhereToStore,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::KafkaFrozen,
        Self::KafkaAway,
        Self::TopicMadeAgain,
        Self::DiskHangs,
        Self::DiskHangsAndKafkaFrozen,
        Self::DiskFailsAndKafkaFrozen,
        Self::IngestKilled,
        Self::IngestKilledAndKafkaFrozen,
        Self::IngestKilledAndNowhereToStore,
    ];

    /// Names topics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KafkaFrozen => "kafka_frozen",
            Self::KafkaAway => "kafka_away",
            Self::TopicMadeAgain => "topic_made_again",
            Self::DiskHangs => "disk_hangs",
            Self::DiskHangsAndKafkaFrozen => "disk_hangs_and_kafka_frozen",
            Self::DiskFailsAndKafkaFrozen => "disk_fails_and_kafka_frozen",
            Self::IngestKilled => "ingest_killed",
            Self::IngestKilledAndKafkaFrozen => "ingest_killed_and_kafka_frozen",
            Self::IngestKilledAndNowhereToStore => "ingest_killed_and_nowhere_to_store",
        }
    }

    /// Whether ingest is killed in it, and started again by who holds its socket.
    pub(crate) const fn kills_ingest(self) -> bool {
        matches!(
            self,
            Self::IngestKilled
                | Self::IngestKilledAndKafkaFrozen
                | Self::IngestKilledAndNowhereToStore
        )
    }

    /// What ingest promises its senders meanwhile.
    #[must_use]
    pub const fn promise(self) -> Promise {
        match self {
            Self::KafkaFrozen | Self::KafkaAway | Self::TopicMadeAgain | Self::DiskHangs => {
                Promise::Stored
            }
            Self::DiskHangsAndKafkaFrozen
            | Self::DiskFailsAndKafkaFrozen
            | Self::IngestKilledAndNowhereToStore => Promise::Honest,
            Self::IngestKilled | Self::IngestKilledAndKafkaFrozen => Promise::InFlightMayFail,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name().replace('_', " "))
    }
}

/// What a sender may expect of each attempt. Whatever was acknowledged is in Kafka afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// A 2xx in time.
    Stored,
    /// A 2xx or, while there is nowhere to store, a 503; in time, but for what was in flight when
    /// ingest was killed. There are such 503s: without them the fault was none.
    Honest,
    /// A 2xx in time, but for what was in flight when ingest was killed.
    InFlightMayFail,
}

/// How long each part takes, and how much is sent.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    /// Requests a second.
    pub rate: u32,
    /// Load before the fault.
    pub before: Duration,
    /// The fault.
    pub fault: Duration,
    /// Load after everything is back to normal.
    pub after: Duration,
}

impl Length {
    /// Seconds.
    #[must_use]
    pub const fn short() -> Self {
        Self {
            rate: 500,
            before: Duration::from_secs(1),
            fault: Duration::from_secs(3),
            after: Duration::from_secs(1),
        }
    }

    /// At full length, `rate` requests a second.
    #[must_use]
    pub const fn full(fault: Fault, rate: u32) -> Self {
        let seconds = match fault {
            Fault::KafkaAway => 20,
            _ => 10,
        };
        Self {
            rate,
            before: Duration::from_secs(5),
            fault: Duration::from_secs(seconds),
            after: Duration::from_secs(5),
        }
    }
}
