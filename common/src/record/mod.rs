//! Raw record, version 1: one postback as it came, the value of one Kafka message.
//!
//! The contract is `schemas/raw-postback.v1.schema.json`. Query and body are kept undecoded: every
//! rule that reads them can be changed later and applied to the past.

mod id;
mod message;
mod payload;
mod reading;
mod text;
mod wire;
mod writing;

pub use id::{IdSource, IdSourceError};
pub use message::{Identity, Message};
pub use payload::Payload;
pub use text::Text;
pub use wire::{RecordError, VERSION};
pub(crate) use wire::{decode_versioned, write_instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// By which way a record came into the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The network's own request.
    Http,
    /// A file that a person imported.
    Import,
    /// The network's API, asked for what its push had missed.
    Backfill,
}

impl Via {
    /// As it stands in records and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Import => "import",
            Self::Backfill => "backfill",
        }
    }
}

/// One postback as it came.
///
/// Texts are borrowed from the request (when building) or from the Kafka message (when reading)
/// wherever they need no unescaping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// UUIDv7, made by the process that took the postback in; the answer's `x-postback-id`.
    pub id: Uuid,
    /// Name of the source, as the URL key named it.
    pub source: Text<'a>,
    /// Name of the URL key; `None` where no URL was involved.
    pub key: Option<Text<'a>>,
    /// When the request was read whole, UTC, whole microseconds.
    pub received_at: Timestamp,
    /// `GET` or `POST`.
    pub method: Text<'a>,
    /// What stands behind the first `?` of the request target, undecoded; empty without one.
    pub query: Payload<'a>,
    /// The `content-type` header of a request with a body.
    pub content_type: Option<Text<'a>>,
    /// The body, where there was one.
    pub body: Option<Payload<'a>>,
    /// The sender's address without port; `None` where no connection was involved.
    pub remote: Option<Text<'a>>,
    /// The headers that `ingest.record_headers` names, in its order; a header that came twice is
    /// joined with `", "`.
    pub headers: Vec<(Text<'a>, Text<'a>)>,
    /// By which way it came.
    pub via: Via,
}

impl<'a> RawRecord<'a> {
    /// Appends the record's JSON to `buffer`, which callers reuse.
    pub fn encode_into(&self, buffer: &mut Vec<u8>) {
        writing::encode(self, buffer);
    }

    /// Reads a record back from the value of a Kafka message.
    ///
    /// # Errors
    /// [`RecordError::UnknownVersion`] for a record of a later version: stop rather than guess.
    /// [`RecordError::NotARecord`] for bytes that never were one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        wire::decode(bytes)
    }

    /// The same for a value that is known to be UTF-8, which is not looked at again.
    ///
    /// # Errors
    /// As [`RawRecord::decode`].
    pub fn read(text: &'a str) -> Result<Self, RecordError> {
        wire::read(text)
    }
}

#[cfg(test)]
mod tests;
