//! Refusal record, version 1: what is kept of a request that ingest refused, the value of one
//! message of `kafka.refused_topic`.
//!
//! The contract is `schemas/refusal.v1.schema.json`. A trace, not a postback: cut short, without its
//! body, and with everything masked in which a URL key could stand. Who writes a record masks it
//! first; nothing here does.

mod wire;

pub use wire::VERSION;

use jiff::Timestamp;
use uuid::Uuid;

use crate::record::{RecordError, Text};

/// What is kept of one refused request. What is not known, because the request could not be read so
/// far, is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalRecord<'a> {
    /// UUIDv7, made by the process that refused the request.
    pub id: Uuid,
    /// When it was refused, UTC, whole microseconds.
    pub refused_at: Timestamp,
    /// Tag of a [`crate::reason::Refusal`]; a newer program may have others.
    pub reason: Text<'a>,
    /// Status of the answer. The sender may have gone before it.
    pub status: u16,
    /// Name of the source whose URL key it had, also where that is disabled.
    pub source: Option<Text<'a>>,
    /// Name of that URL key.
    pub key: Option<Text<'a>>,
    /// The method, masked.
    pub method: Option<Text<'a>>,
    /// The path, masked; bytes that are no UTF-8 as U+FFFD.
    pub path: Option<Text<'a>>,
    /// The query, as the path; empty without one.
    pub query: Option<Text<'a>>,
    /// Bytes of the query as it came, as far as it was read.
    pub query_bytes: u64,
    /// The sender's address without port.
    pub remote: Text<'a>,
    /// The header `user-agent`, masked.
    pub user_agent: Option<Text<'a>>,
    /// Names of the fields above that were cut: `method`, `path`, `query`, `user_agent`.
    pub cut: Vec<Text<'a>>,
    /// Refusals of this reason, by this process and since its last such record, that have no record
    /// of their own. `sum(1 + suppressed)` is the number of all refusals.
    pub suppressed: u64,
}

impl<'a> RefusalRecord<'a> {
    /// Its JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads a record back from the value of a Kafka message.
    ///
    /// # Errors
    /// [`RecordError::UnknownVersion`] for a record of a later version,
    /// [`RecordError::NotARecord`] for bytes that never were one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        wire::decode(bytes)
    }
}

#[cfg(test)]
mod tests;
