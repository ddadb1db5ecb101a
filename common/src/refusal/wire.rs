//! The record's JSON, written and read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RefusalRecord;
use crate::record::{RecordError, Text, decode_versioned, write_instant};

/// The version this page describes.
pub const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Wire<'a> {
    v: u64,
    id: Uuid,
    #[serde(serialize_with = "write_instant")]
    refused_at: Timestamp,
    reason: Text<'a>,
    status: u16,
    source: Option<Text<'a>>,
    key: Option<Text<'a>>,
    method: Option<Text<'a>>,
    path: Option<Text<'a>>,
    query: Option<Text<'a>>,
    query_bytes: u64,
    remote: Text<'a>,
    user_agent: Option<Text<'a>>,
    cut: Vec<Text<'a>>,
    suppressed: u64,
}

pub(super) fn encode(record: &RefusalRecord<'_>) -> Vec<u8> {
    let RefusalRecord {
        id,
        refused_at,
        reason,
        status,
        source,
        key,
        method,
        path,
        query,
        query_bytes,
        remote,
        user_agent,
        cut,
        suppressed,
    } = record.clone();
    let wire = Wire {
        v: VERSION,
        id,
        refused_at,
        reason,
        status,
        source,
        key,
        method,
        path,
        query,
        query_bytes,
        remote,
        user_agent,
        cut,
        suppressed,
    };
    // Texts and numbers cannot fail to serialise; should they, every reader can tell an empty value.
    serde_json::to_vec(&wire).unwrap_or_default()
}

pub(super) fn decode(bytes: &[u8]) -> Result<RefusalRecord<'_>, RecordError> {
    let wire: Wire<'_> = decode_versioned(bytes, VERSION, |wire: &Wire<'_>| wire.v)?;
    Ok(RefusalRecord {
        id: wire.id,
        refused_at: wire.refused_at,
        reason: wire.reason,
        status: wire.status,
        source: wire.source,
        key: wire.key,
        method: wire.method,
        path: wire.path,
        query: wire.query,
        query_bytes: wire.query_bytes,
        remote: wire.remote,
        user_agent: wire.user_agent,
        cut: wire.cut,
        suppressed: wire.suppressed,
    })
}
