//! What the network's Events API has and the tables lack, brought into Kafka.
//!
//! ```text
//! Planner ─ cells by process date, as wide as fits a page ─▶ reading (pages, passes; max_calls at once)
//!         ─▶ Recent (what overlaps is passed over) ─▶ sifting (normalise, ask the tables, decide)
//!         ─▶ Kafka ─▶ a note in `backfills`, once Kafka has confirmed
//! ```
//!
//! A fetched transaction becomes a raw record (`via = backfill`, the API's JSON as its body) where the
//! tables do not have it, or would take it in place of what they have; so it takes the same way as a
//! push, and a replay includes it. Nothing grows with the range: cells are read a few at a time, and
//! of what was read the last two cells' hashes are kept.

mod carried;
mod error;
mod ground;
mod loader;
mod planner;
mod reader;
mod reading;
mod recent;
mod record;
mod run;
mod said;
mod sifting;
mod standing;
mod verdict;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use postback_common::config::{ApiSettings, Settings};
use postback_common::name::SourceName;
use postback_normalise::{Amount, Currency, Kind};
use postback_store::backfills::Backfill;

pub use error::BackfillError;
pub use run::run;

/// What is to be fetched.
#[derive(Debug, Clone)]
pub struct Job {
    /// Whose network is asked.
    pub source: SourceName,
    /// Begin by the network's process date, inclusive. Something more is asked for on either side:
    /// clocks differ.
    pub from: Timestamp,
    /// End by the network's process date, exclusive. Where it lies in the future, the range ends when the
    /// run begins: nobody may believe that what is processed later was fetched.
    pub to: Timestamp,
    /// Send and note nothing; only find.
    pub is_dry: bool,
    /// Who wants it: a user and the machine, or `postback-consumer`.
    pub made_by: String,
}

impl Job {
    /// The same, of what was processed before `now`.
    fn up_to(&self, now: Timestamp) -> Self {
        Self {
            to: self.to.min(now),
            ..self.clone()
        }
    }
}

/// What it is done with.
#[derive(Clone)]
pub struct Tools {
    /// Kafka, ClickHouse and the consumer's group.
    pub settings: Settings,
    /// The source's.
    pub api: ApiSettings,
    /// The same, with the patience that fits the caller.
    pub network: postback_network::NetworkApi,
}

/// Hears how far a run is. All of it may come from other threads, and often.
pub trait Progress: Send + Sync {
    /// The consumer has yet to load so many records that Kafka had before the run.
    fn waits(&self, _records: u64) {}
    /// Reading begins: at `at`, of a range that ends at `to`.
    fn begins(&self, _at: Timestamp, _to: Timestamp) {}
    /// So far, by process date, and so many transactions.
    fn reached(&self, _through: Timestamp, _pulled: u64) {}
    /// One that the tables lack, or have otherwise.
    fn found(&self, _finding: &Finding) {}
}

/// Nobody watches.
impl Progress for () {}

/// A transaction that is sent, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of `conversions` say it")]
pub struct Finding {
    /// Why it is sent.
    pub why: Why,
    pub kind: Option<Kind>,
    pub transaction_id: String,
    pub order_id: String,
    pub click_id: String,
    pub occurred_at: Option<Timestamp>,
    pub processed_at: Option<Timestamp>,
    pub sale_amount: Option<Amount>,
    pub currency: Option<Currency>,
    pub commission: Option<Amount>,
    pub commission_currency: Option<Currency>,
}

/// Why a fetched transaction is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The tables do not have it.
    Missing,
    /// They have it with other content, and would take this one.
    Changed,
    /// They have it with an older time of the network.
    Newer,
    /// By the source's rules it can be no row; it is sent once, so that it is seen.
    Rejected,
}

impl Why {
    /// As tables and programs have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Newer => "newer",
            Self::Rejected => "rejected",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was found; of a dry run, what would be noted.
    pub run: Backfill,
    /// Where an earlier run of the same range had stopped, by process date.
    pub went_on_at: Option<Timestamp>,
    /// It was stopped before its end, and can go on.
    pub was_stopped: bool,
}
