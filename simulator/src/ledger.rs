//! Everything planned, sent and answered. [`mod@line`] is its form in a file.

pub mod line;

use std::collections::BTreeSet;
use std::io::{BufRead, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contract::Fate;
use crate::delivery::Planned;
use crate::totals::Totals;
use line::Line;

/// What was planned and what became of it, in the order of planning. It holds no URL keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// One entry per planned request.
    pub entries: Vec<Entry>,
}

/// One planned request and its only attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What was planned.
    #[serde(flatten)]
    pub planned: Planned,
    /// The attempt; `None` while it has not been made.
    pub attempt: Option<Attempt>,
    /// Why the network makes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
}

/// Why the network does not send a postback that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// The endpoint is disabled, by failures or on request.
    Disabled,
    /// There is no endpoint any more.
    Deleted,
}

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began, by this machine's clock.
    pub sent_at: Timestamp,
    /// From its begin to the whole answer or the failure, in microseconds. Connecting counts.
    pub latency_us: u64,
    /// How much later than planned it began, in microseconds; 0 for a sender without a schedule.
    #[serde(default)]
    pub late_us: u64,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver answered in time.
    Answered {
        /// HTTP status.
        status: u16,
        /// The header `x-postback-id`.
        postback_id: Option<String>,
    },
    /// No answer. Whether the receiver has the request is unknown, and it is not sent again.
    Failed {
        /// In what way.
        failure: Failure,
        /// In words, for people.
        detail: String,
    },
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No connection could be made; nothing was sent.
    Connect,
    /// The network's patience ran out.
    TimedOut,
    /// The connection broke, or what came was no HTTP.
    ConnectionLost,
}

/// How many entries went which way. `planned` is the sum of `unsent`, `acknowledged`, `refused` and
/// `failed`; `acknowledged` is at least the sum of `to_be_loaded` and `to_be_rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All entries.
    pub planned: u64,
    /// No attempt was made.
    pub unsent: u64,
    /// Those of `unsent` that the network kept back, because it had disabled the endpoint.
    pub withheld: u64,
    /// Answered with 2xx.
    pub acknowledged: u64,
    /// Answered with anything else.
    pub refused: u64,
    /// Without an answer.
    pub failed: u64,
    /// Acknowledged, and the contract demands a row among the conversions.
    pub to_be_loaded: u64,
    /// Acknowledged, and the contract demands a rejection.
    pub to_be_rejected: u64,
    /// Answered other than the contract demands (failures left out): each is a defect.
    pub unexpected: u64,
}

/// A ledger that could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file failed.
    #[error("the ledger could not be written or read: {0}")]
    Io(#[from] std::io::Error),
    /// Another program wrote it.
    #[error(
        "the ledger is of version {found}, and this program reads version 1: use the program that wrote it"
    )]
    Version {
        /// The version that it says it is of.
        found: u32,
    },
    /// A line is none of a ledger.
    #[error("line {line} of the ledger is none of a ledger: {source}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Ledger {
    /// Totals of what the receiver acknowledged: what it must be able to show.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals::of(self.acknowledged())
    }

    /// The entries that the receiver answered with 2xx.
    pub fn acknowledged(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.is_acknowledged())
    }

    /// The distinct ids that the receiver gave to what it acknowledged: as many as there are
    /// acknowledged entries, unless it gives an id twice or none.
    #[must_use]
    pub fn acknowledged_ids(&self) -> BTreeSet<&str> {
        self.acknowledged().filter_map(Entry::postback_id).collect()
    }

    /// The answers other than what the contract demands.
    pub fn unexpected(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.is_unexpected())
    }

    /// How many entries went which way.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in &self.entries {
            counts.add(entry);
        }
        counts
    }

    /// Adds another ledger's entries behind these.
    pub fn append(&mut self, mut other: Ledger) {
        self.entries.append(&mut other.entries);
    }

    /// Writes all entries as lines of a ledger. A file should be given buffered.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write_to(&self, mut target: impl Write) -> Result<(), LedgerError> {
        for (number, entry) in (0..).zip(&self.entries) {
            let entry = Box::new(entry.clone());
            line::write(&mut target, &Line::Postback { number, entry })?;
        }
        Ok(target.flush()?)
    }

    /// Reads the entries of a ledger, in the order of their numbers.
    ///
    /// # Errors
    /// When reading fails, or names the line that is none of a ledger.
    pub fn read_from(source: impl BufRead) -> Result<Self, LedgerError> {
        let mut numbered = Vec::new();
        for line in line::read(source) {
            if let Line::Postback { number, entry } = line? {
                numbered.push((number, *entry));
            }
        }
        numbered.sort_by_key(|(number, _)| *number);
        let entries = numbered.into_iter().map(|(_, entry)| entry);
        Ok(Ledger {
            entries: entries.collect(),
        })
    }
}

impl Entry {
    /// A request that has not been sent yet.
    #[must_use]
    pub fn unsent(planned: Planned) -> Self {
        Entry {
            planned,
            attempt: None,
            withheld: None,
        }
    }

    /// A request with its attempt.
    #[must_use]
    pub fn sent(planned: Planned, attempt: Attempt) -> Self {
        Entry {
            attempt: Some(attempt),
            ..Entry::unsent(planned)
        }
    }

    /// Whether nobody can know if the receiver has it: there was no answer, or one that speaks of a
    /// fault of the receiver (5xx), which may have stored it all the same. Nothing was sent where
    /// no connection could be made.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.status() {
            Some(status) => status >= 500,
            None => self
                .failure()
                .is_some_and(|failure| failure != Failure::Connect),
        }
    }

    /// The HTTP status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.attempt.as_ref()?.outcome {
            Outcome::Answered { status, .. } => Some(*status),
            Outcome::Failed { .. } => None,
        }
    }

    /// The id that the receiver gave to it.
    #[must_use]
    pub fn postback_id(&self) -> Option<&str> {
        match &self.attempt.as_ref()?.outcome {
            Outcome::Answered { postback_id, .. } => postback_id.as_deref(),
            Outcome::Failed { .. } => None,
        }
    }

    /// Why there was no answer, if it was tried.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match &self.attempt.as_ref()?.outcome {
            Outcome::Answered { .. } => None,
            Outcome::Failed { failure, .. } => Some(*failure),
        }
    }

    /// Whether it was answered other than the contract demands.
    #[must_use]
    pub fn is_unexpected(&self) -> bool {
        self.status().is_some_and(|status| match self.planned.fate {
            Fate::Loaded { .. } | Fate::RejectedByNormaliser => !is_success(status),
            Fate::RefusedByIngest { status: demanded } => status != demanded,
        })
    }

    /// Whether the receiver said that it has it.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.status().is_some_and(is_success)
    }
}

/// Networks take every 2xx for a success.
pub(crate) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

impl Counts {
    /// Counts one more entry.
    pub fn add(&mut self, entry: &Entry) {
        self.planned += 1;
        self.withheld += u64::from(entry.withheld.is_some());
        match entry.attempt.as_ref().map(|attempt| &attempt.outcome) {
            None => self.unsent += 1,
            Some(Outcome::Failed { .. }) => self.failed += 1,
            Some(Outcome::Answered { status, .. }) if is_success(*status) => {
                self.acknowledged += 1;
                match entry.planned.fate {
                    Fate::Loaded { .. } => self.to_be_loaded += 1,
                    Fate::RejectedByNormaliser => self.to_be_rejected += 1,
                    Fate::RefusedByIngest { .. } => {}
                }
            }
            Some(Outcome::Answered { .. }) => self.refused += 1,
        }
        self.unexpected += u64::from(entry.is_unexpected());
    }
}

#[cfg(test)]
mod tests;
