//! The raw record of a row.

use std::time::Duration;

use jiff::Timestamp;
use postback_common::name::SourceName;
use postback_common::record::{Payload, RawRecord, Via};
use uuid::{Builder, Uuid};

/// What all records of an import have in common.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// The import's.
    pub(super) id: Uuid,
    /// The source.
    pub(super) source: SourceName,
    /// When the import was begun: rows are received one µs after the other.
    pub(super) started_at: Timestamp,
}

impl Origin {
    /// The record of the row of that number, from 1. The same whenever it is made.
    pub(super) fn record<'a>(&'a self, number: u64, object: &'a str) -> RawRecord<'a> {
        RawRecord {
            id: self.id_of(number),
            source: self.source.as_str().into(),
            key: None,
            received_at: self.received_at(number, 0),
            method: "POST".into(),
            query: Payload::of(b""),
            content_type: Some("application/json".into()),
            body: Some(Payload::of(object.as_bytes())),
            remote: None,
            headers: Vec::new(),
            via: Via::Import,
        }
    }

    /// When the row of that number was received, with so many before it that say the same time: a
    /// revision goes by milliseconds, so each is one after the other, and the last of them counts.
    pub(super) fn received_at(&self, number: u64, equals: u32) -> Timestamp {
        let after = Duration::from_micros(number) + Duration::from_millis(equals.into());
        self.started_at
            .checked_add(after)
            .unwrap_or(self.started_at)
    }

    /// A UUIDv7 whose 74 free bits are those of a hash over the import and the row's number.
    fn id_of(&self, number: u64) -> Uuid {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(self.id.as_bytes())
            .update(&number.to_le_bytes());
        let hash = hasher.finalize();
        let bytes = std::array::from_fn(|at| hash.as_bytes()[at]);
        let millis = u64::try_from(self.started_at.as_millisecond()).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_row_has_one_record_whenever_it_is_made() {
        let origin = Origin {
            id: Uuid::from_u128(7),
            source: SourceName::new("shop").unwrap(),
            started_at: "2026-09-01T10:00:00Z".parse().unwrap(),
        };
        let ids: BTreeSet<Uuid> = (1..=1_000).map(|n| origin.record(n, "{}").id).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert_eq!(origin.record(5, "{}"), origin.clone().record(5, "{}"));
        let received = origin.record(2, "{}").received_at.to_string();
        assert_eq!(received, "2026-09-01T10:00:00.000002Z");
        let other = Origin {
            id: Uuid::from_u128(8),
            ..origin
        };
        assert!(!ids.contains(&other.record(1, "{}").id));
    }
}
