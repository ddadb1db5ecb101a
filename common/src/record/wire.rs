//! The record's JSON, read.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer};
use uuid::Uuid;

use super::{Payload, RawRecord, Text, Via, reading};

/// The version this page describes.
pub const VERSION: u64 = 1;

/// Why bytes are not a record that this program can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A record of another version. A newer program wrote it; this one must not guess.
    #[error("a record of version {0}, which this program does not read: upgrade it")]
    UnknownVersion(u64),
    /// Bytes that never were a record. The text names the place, never the content.
    #[error("not a record: {0}")]
    NotARecord(String),
}

impl RecordError {
    fn not_a_record(error: &serde_json::Error) -> Self {
        // serde_json's own text can quote the input, and the input is a stranger's.
        let what = if error.is_data() {
            "a field is missing or of another type"
        } else {
            "no JSON"
        };
        Self::NotARecord(format!(
            "{what} (line {}, column {})",
            error.line(),
            error.column()
        ))
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Read<'a> {
    v: u64,
    id: Uuid,
    source: Text<'a>,
    key: Option<Text<'a>>,
    received_at: Timestamp,
    method: Text<'a>,
    query: Payload<'a>,
    content_type: Option<Text<'a>>,
    body: Option<Payload<'a>>,
    remote: Option<Text<'a>>,
    #[serde(deserialize_with = "read_headers")]
    headers: Vec<(Text<'a>, Text<'a>)>,
    via: Via,
}

#[derive(Deserialize)]
struct OnlyVersion {
    v: u64,
}

pub(super) fn decode(bytes: &[u8]) -> Result<RawRecord<'_>, RecordError> {
    decode_versioned(bytes, VERSION, |read: &Read<'_>| read.v).map(Read::into_record)
}

pub(super) fn read(text: &str) -> Result<RawRecord<'_>, RecordError> {
    if let Some(record) = reading::read(text) {
        return Ok(record);
    }
    let read = serde_json::from_str(text);
    of_version(read, text.as_bytes(), VERSION, |read: &Read<'_>| read.v).map(Read::into_record)
}

/// Reads a record of the one version that is known.
pub(crate) fn decode_versioned<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    known: u64,
    version: impl FnOnce(&T) -> u64,
) -> Result<T, RecordError> {
    of_version(serde_json::from_slice(bytes), bytes, known, version)
}

fn of_version<T>(
    read: serde_json::Result<T>,
    bytes: &[u8],
    known: u64,
    version: impl FnOnce(&T) -> u64,
) -> Result<T, RecordError> {
    match read {
        Ok(read) => match version(&read) {
            v if v == known => Ok(read),
            v => Err(RecordError::UnknownVersion(v)),
        },
        // A later version may have other fields: what counts is the version it claims.
        Err(error) => match serde_json::from_slice::<OnlyVersion>(bytes) {
            Ok(OnlyVersion { v }) if v != known => Err(RecordError::UnknownVersion(v)),
            _ => Err(RecordError::not_a_record(&error)),
        },
    }
}

impl<'a> Read<'a> {
    fn into_record(self) -> RawRecord<'a> {
        RawRecord {
            id: self.id,
            source: self.source,
            key: self.key,
            received_at: self.received_at,
            method: self.method,
            query: self.query,
            content_type: self.content_type,
            body: self.body,
            remote: self.remote,
            headers: self.headers,
            via: self.via,
        }
    }
}

/// RFC 3339, UTC, always six decimals.
pub(crate) fn write_instant<S: Serializer>(
    instant: &Timestamp,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{instant:.6}"))
}

fn read_headers<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(Text<'a>, Text<'a>)>, D::Error> {
    struct Headers<'a>(std::marker::PhantomData<Text<'a>>);

    impl<'de: 'a, 'a> serde::de::Visitor<'de> for Headers<'a> {
        type Value = Vec<(Text<'a>, Text<'a>)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map of header names to values")
        }

        fn visit_map<M: serde::de::MapAccess<'de>>(
            self,
            mut map: M,
        ) -> Result<Self::Value, M::Error> {
            let mut headers = Vec::with_capacity(map.size_hint().unwrap_or(2).min(64));
            while let Some(header) = map.next_entry()? {
                headers.push(header);
            }
            Ok(headers)
        }
    }

    deserializer.deserialize_map(Headers(std::marker::PhantomData))
}
