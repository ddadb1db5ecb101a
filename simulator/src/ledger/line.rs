//! A ledger's file: JSON lines, one object each, told apart by `line`.
//!
//! `run` stands first and `end` last; a file without an `end` was cut off. Between them there is one
//! `postback` for each that the network had, in the order in which their attempts ended (`number` is
//! the order of planning), and an `endpoint` for each change of the endpoint. It holds no URL key.

use std::io::{BufRead, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Counts, Entry, LedgerError};

/// The version of this form. Readers refuse another one.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// How the network was told to behave.
    Run(Run),
    /// A postback, and what became of it.
    Postback {
        /// Its place in the plan, from 0.
        number: u64,
        /// The postback and its attempt.
        #[serde(flatten)]
        entry: Box<Entry>,
    },
    /// The endpoint changed.
    Endpoint(Change),
    /// The end, in order.
    End(End),
}

/// How the network was told to behave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// [`VERSION`]
    pub version: u32,
    /// The receiver's name of the source.
    pub source: String,
    /// ISO 4217 code that stands in where the template carries no currency.
    pub currency: String,
    /// Equal seeds and days give equal postbacks.
    pub seed: u64,
    /// When the run began, by this machine's clock.
    pub started_at: Timestamp,
    /// Postbacks a second.
    pub rate: u32,
    /// How long it waits for an answer, connecting included, in milliseconds.
    pub patience_ms: u64,
    /// Failures in a row that disable the endpoint; 0: never.
    pub disable_after: u32,
}

/// A change of the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// What happened to it.
    pub change: ChangeKind,
    /// Failures in a row at that moment.
    pub failures: u32,
}

/// What happened to the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Registered.
    SetUp,
    /// Given another URL.
    Updated,
    /// Switched on by its owner.
    Enabled,
    /// Switched off by its owner.
    Disabled,
    /// Switched off by the network, which tells nobody.
    DisabledByFailures,
    /// Removed.
    Deleted,
}

/// How the run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When, by this machine's clock.
    pub ended_at: Timestamp,
    /// Whether it was asked to stop before its plan was through.
    pub interrupted: bool,
    /// How many lines `postback` went which way.
    pub counts: Counts,
    /// How well the schedule was kept.
    pub schedule: Kept,
}

/// How well a schedule was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Attempts begun.
    pub attempts: u64,
    /// Those begun more than 10 ms after their time.
    pub late: u64,
    /// The latest one, in microseconds after its time.
    pub latest_us: u64,
}

/// Writes one line.
///
/// # Errors
/// When writing fails.
pub fn write(target: &mut impl Write, line: &Line) -> std::io::Result<()> {
    serde_json::to_writer(&mut *target, line)?;
    target.write_all(b"\n")
}

/// The lines of a file, one after the other.
pub fn read(source: impl BufRead) -> impl Iterator<Item = Result<Line, LedgerError>> {
    let mut lines = source.lines().enumerate().peekable();
    std::iter::from_fn(move || {
        let (index, text) = lines.next()?;
        let text = match text {
            Ok(text) => text,
            Err(error) => return Some(Err(error.into())),
        };
        match serde_json::from_str(&text) {
            // The last line of a run that was killed is a half one.
            Err(error) if error.is_eof() && lines.peek().is_none() => None,
            read => Some(read.map_err(|source| LedgerError::Line {
                line: index + 1,
                source,
            })),
        }
    })
}
