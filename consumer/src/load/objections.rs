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

#[cfg(test)]
mod tests {
    use postback_store::Kind;

    use super::*;
    use crate::judge::tests::{RECORD, judge, judged, message, rules};

    fn error(message: &str) -> StoreError {
        StoreError::own(Kind::Data, "insert", message, "none")
    }

    #[test]
    fn a_partition_stops_at_the_first_record_without_a_way_in_whatever_order_they_are_found() {
        let mut objections = Objections::default();
        for offset in [7, 5, 9] {
            objections.give_up(0, offset, error(&offset.to_string()));
        }
        objections.give_up(2, 8, error("8"));
        let first = |partition| {
            let found: Option<&(Offset, StoreError)> = objections.hopeless(partition);
            found.map(|(offset, error)| (*offset, error.message.as_str()))
        };
        assert_eq!(first(0), Some((5, "5")));
        assert_eq!(first(1), None);
        assert_eq!(first(2), Some((8, "8")));
    }

    #[test]
    fn a_raw_text_is_replaced_once_and_a_rejection_keeps_its_words() {
        let record = judge(message(RECORD.as_bytes()), &rules()).unwrap();
        let other = judged(1, 3);
        let mut objections = Objections::default();
        assert!(objections.to(record.id).is_none() && !objections.rejects(record.id));

        assert!(objections.replace_raw(&record, &error("raw")));
        assert!(!objections.rejects(record.id), "its conversion was taken");
        assert!(!objections.replace_raw(&record, &error("again")));
        let objection = objections.to(record.id).unwrap();
        let hash = blake3::hash(RECORD.as_bytes()).to_hex();
        assert_eq!(objection.detail, "raw");
        assert_eq!(objection.raw_hash, Some(format!("{HASHED}{hash}")));

        objections.reject(&other, &error("value"));
        assert!(objections.rejects(other.id) && !objections.rejects(record.id));
        assert!(objections.replace_raw(&other, &error("raw")));
        assert_eq!(objections.to(other.id).unwrap().detail, "value");
        assert!(objections.rejects(other.id));
    }
}
