//! Accepted records with several orders, of which there is no conversion: neither one of their own nor
//! one that replaced it.
//!
//! Of such a record the table says that at least one order was accepted, and not which. So a record is
//! named only where not one of its orders is there; what else of it may be missing cannot be told from
//! what rules of another time rejected.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use jiff::civil::{Date, date};
use postback_common::record::RawRecord;
use postback_normalise::{Outcome, Rules, normalise};
use postback_store::StoreError;
use postback_store::retention::Horizon;
use postback_store::verify::{KeyFinding, Keys, Scope, Tables};
use uuid::Uuid;

/// Keys per question.
const KEYS: usize = 2_000;
/// Keys that are held at once, unless one record has more.
const HELD: usize = 100_000;

/// The days that stand for no date.
const BUCKETS: (Date, Date) = (date(1970, 1, 1), date(1970, 1, 31));

/// A conversion that should be there.
type Key = (String, Date, Uuid);

/// A record without a conversion of its own.
#[derive(Debug, PartialEq, Eq)]
struct Suspect {
    received_at: Timestamp,
    /// Of all its orders.
    keys: Vec<Key>,
}

/// Looks for records with several orders that have no conversion.
pub(super) struct Looking<'a> {
    pub(super) tables: &'a Tables,
    pub(super) scope: &'a Scope,
    pub(super) rules: &'a Rules,
    pub(super) horizon: Option<Horizon>,
    pub(super) limit: usize,
}

/// The conversions that are missing, each once, and some of them as they are shown.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    keys: HashSet<Uuid>,
    pub(super) some: Vec<KeyFinding>,
}

impl Lacking {
    pub(super) fn total(&self) -> u64 {
        self.keys.len() as u64
    }
}

impl Looking<'_> {
    /// Adds those of one share of the records.
    pub(super) async fn look(&self, share: Keys, lacking: &mut Lacking) -> Result<(), StoreError> {
        let mut records = self.tables.without_own(self.scope, share)?;
        let (mut suspects, mut held) = (Vec::new(), 0);
        while let Some(record) = records.next().await? {
            let keys = self.keys_of(&record.raw);
            if keys.is_empty() {
                continue;
            }
            held += keys.len();
            suspects.push(Suspect {
                received_at: record.received_at,
                keys,
            });
            if held > HELD {
                self.settle(std::mem::take(&mut suspects), lacking).await?;
                held = 0;
            }
        }
        self.settle(suspects, lacking).await
    }

    /// What a record's orders are called; none where that cannot be told, or where some of them may
    /// have been dropped with their month.
    fn keys_of(&self, raw: &str) -> Vec<Key> {
        let Ok(record) = RawRecord::read(raw) else {
            return Vec::new();
        };
        let Some(source) = self.rules.source(&record.source) else {
            return Vec::new();
        };
        let each = match normalise(&record, source) {
            Outcome::Several(each) => each,
            one => vec![one],
        };
        let keys = each.into_iter().filter_map(|outcome| match outcome {
            Outcome::Accepted(one) => {
                Some((one.account.to_string(), one.key_day, one.conversion_key))
            }
            _ => None,
        });
        let keys: Vec<Key> = keys.collect();
        if keys.iter().all(|(_, day, _)| is_kept(*day, self.horizon)) {
            keys
        } else {
            Vec::new()
        }
    }

    /// One order that is there clears its record, mostly the first: an array that was sent again.
    async fn settle(
        &self,
        mut suspects: Vec<Suspect>,
        lacking: &mut Lacking,
    ) -> Result<(), StoreError> {
        for most in [1, usize::MAX] {
            let asked = suspects.iter().flat_map(|one| one.keys.iter().take(most));
            let there = self.are_there(asked).await?;
            suspects.retain(|one| !one.keys.iter().any(|(.., key)| there.contains(key)));
        }
        for Suspect { received_at, keys } in suspects {
            for (account, day, key) in keys {
                if lacking.keys.insert(key) && lacking.some.len() < self.limit {
                    let finding = KeyFinding::of(account, key, day, received_at);
                    lacking.some.push(finding);
                }
            }
        }
        Ok(())
    }

    async fn are_there(
        &self,
        asked: impl Iterator<Item = &Key>,
    ) -> Result<HashSet<Uuid>, StoreError> {
        let mut by_account: BTreeMap<&str, Vec<(Date, Uuid)>> = BTreeMap::new();
        for (account, day, key) in asked {
            by_account.entry(account).or_default().push((*day, *key));
        }
        let mut there = HashSet::new();
        for (account, keys) in by_account {
            for some in keys.chunks(KEYS) {
                there.extend(self.tables.are_there(account, some).await?);
            }
        }
        Ok(there)
    }
}

/// Conversions of that day are in no month that was dropped.
fn is_kept(day: Date, horizon: Option<Horizon>) -> bool {
    let (first, last) = BUCKETS;
    let begins = horizon.map(|horizon| {
        let begins = horizon.begins_at();
        begins.to_zoned(jiff::tz::TimeZone::UTC).date()
    });
    begins.is_none_or(|begins| day >= begins) || (first..=last).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_that_were_dropped_say_nothing_and_buckets_stay() {
        // 62 days before 2026-09-01 is 2026-07-01.
        let horizon = Some(Horizon::new(date(2026, 9, 1), 62));
        assert!(is_kept(date(2026, 7, 1), horizon));
        assert!(!is_kept(date(2026, 6, 30), horizon));
        assert!(is_kept(date(1970, 1, 16), horizon));
        assert!(is_kept(date(1999, 1, 1), None));
    }
}
