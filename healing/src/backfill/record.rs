//! The raw record of a fetched transaction.

use jiff::Timestamp;
use postback_common::name::SourceName;
use postback_common::record::{Payload, RawRecord, Via};
use uuid::{Builder, Uuid};

/// What all records of a run have in common.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// The run's.
    pub(super) id: Uuid,
    /// The source.
    pub(super) source: SourceName,
    /// When the run was begun.
    pub(super) started_at: Timestamp,
}

impl Origin {
    /// The record of a transaction. The same whenever the run makes it.
    pub(super) fn record<'a>(&'a self, json: &'a str) -> RawRecord<'a> {
        let millis = u64::try_from(self.started_at.as_millisecond()).unwrap_or(0);
        self.with_id(json, hashed(&[self.id.as_bytes(), json.as_bytes()], millis))
    }

    /// The record of one that can be no row: its id is the same in every run, so that it is sent once.
    pub(super) fn rejected<'a>(&'a self, json: &'a str) -> RawRecord<'a> {
        let parts = [
            b"rejected",
            self.source.as_str().as_bytes(),
            json.as_bytes(),
        ];
        self.with_id(json, hashed(&parts, 0))
    }

    fn with_id<'a>(&'a self, json: &'a str, id: Uuid) -> RawRecord<'a> {
        RawRecord {
            id,
            source: self.source.as_str().into(),
            key: None,
            received_at: self.started_at,
            method: "GET".into(),
            query: Payload::of(b""),
            content_type: Some("application/json".into()),
            body: Some(Payload::of(json.as_bytes())),
            remote: None,
            headers: Vec::new(),
            via: Via::Backfill,
        }
    }
}

/// A UUIDv7 whose 74 free bits are those of a hash over the parts.
fn hashed(parts: &[&[u8]], millis: u64) -> Uuid {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher
            .update(&(part.len() as u64).to_le_bytes())
            .update(part);
    }
    let hash = hasher.finalize();
    let bytes = std::array::from_fn(|at| hash.as_bytes()[at]);
    Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(id: u128, started_at: &str) -> Origin {
        Origin {
            id: Uuid::from_u128(id),
            source: SourceName::new("us").unwrap(),
            started_at: started_at.parse().unwrap(),
        }
    }

    #[test]
    fn a_run_makes_the_same_record_again_and_another_run_another() {
        let (one, other) = (
            origin(1, "2026-09-01T10:00:00Z"),
            origin(2, "2026-09-01T10:00:00Z"),
        );
        assert_eq!(one.record("{}"), one.clone().record("{}"));
        assert_ne!(one.record("{}").id, one.record("{ }").id);
        assert_ne!(one.record("{}").id, other.record("{}").id);
        assert_eq!(one.record("{}").id.get_version_num(), 7);
        assert_eq!(one.record("{}").received_at, one.started_at);
    }

    #[test]
    fn what_can_be_no_row_has_one_id_in_every_run() {
        let (one, other) = (
            origin(1, "2026-09-01T10:00:00Z"),
            origin(2, "2026-09-08T10:00:00Z"),
        );
        assert_eq!(one.rejected("{}").id, other.rejected("{}").id);
        assert_ne!(one.rejected("{}").id, one.rejected("{ }").id);
        assert_ne!(one.rejected("{}").id, one.record("{}").id);
    }
}
