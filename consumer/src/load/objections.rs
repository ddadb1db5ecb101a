//! What ClickHouse says against single records of a batch.

use std::collections::BTreeMap;

use postback_store::StoreError;
use postback_store::rows::HASHED;
use uuid::Uuid;

use crate::judge::Judged;
use crate::progress::{Offset, Partition};

/// Against one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Objection {
    /// The server's words.
    pub(crate) detail: String,
    /// Its conversion was refused.
    pub(crate) is_rejected: bool,
    /// Its row of postbacks was refused: what stands for the raw record in it.
    pub(crate) raw_hash: Option<String>,
}

/// Against the records of a batch, by id: copies of a record fare alike.
#[derive(Debug, Default)]
pub(crate) struct Objections {
    records: BTreeMap<Uuid, Objection>,
    /// Of each partition the first record for which there is no way.
    hopeless: BTreeMap<Partition, (Offset, StoreError)>,
}

impl Objections {
    pub(crate) fn to(&self, record: Uuid) -> Option<&Objection> {
        self.records.get(&record)
    }

    /// True where the record's conversion was refused.
    pub(crate) fn rejects(&self, record: Uuid) -> bool {
        self.to(record)
            .is_some_and(|objection| objection.is_rejected)
    }

    /// The conversion of a record is refused.
    pub(super) fn reject(&mut self, record: &Judged<'_>, error: &StoreError) {
        let objection = self.records.entry(record.id).or_default();
        objection.is_rejected = true;
        objection.detail.clone_from(&error.message);
    }

    /// The row of postbacks is refused: its raw text is replaced. False where that was done before
    /// and it is refused all the same.
    pub(super) fn replace_raw(&mut self, record: &Judged<'_>, error: &StoreError) -> bool {
        let objection = self.records.entry(record.id).or_default();
        if objection.raw_hash.is_some() {
            return false;
        }
        let hash = blake3::hash(record.raw.as_bytes()).to_hex();
        objection.raw_hash = Some(format!("{HASHED}{hash}"));
        if objection.detail.is_empty() {
            objection.detail.clone_from(&error.message);
        }
        true
    }

    /// There is no way for this record: nothing of its partition is stored from here on.
    pub(super) fn give_up(&mut self, partition: Partition, offset: Offset, error: StoreError) {
        let first = self
            .hopeless
            .entry(partition)
            .or_insert_with(|| (offset, error.clone()));
        if offset < first.0 {
            *first = (offset, error);
        }
    }

    /// Where a partition cannot go on, and why.
    pub(super) fn hopeless(&self, partition: Partition) -> Option<&(Offset, StoreError)> {
        self.hopeless.get(&partition)
    }
}
