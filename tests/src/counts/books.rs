//! What was sent, and what must therefore be in the tables: computed from facts that this page makes
//! up, by nothing of the project's.
//!
//! A conversion has up to four revisions, each worth more than the one before, told in any order and
//! some of them twice. So the sum of the newest never exceeds that of the newest sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use uuid::Uuid;

/// Conversions of orders whose names end so are refused by a constraint that the stage sets.
pub(super) const REFUSED_ORDERS: &str = "-odd";

/// One of so many conversions is such.
const ODD_EVERY: u64 = 1_000;

/// The highest revision.
const REVISIONS: u64 = 4;

/// Ids begin here: conversion times 256, plus revision.
const IDS: u128 = 0x0192_0000_0000_7000_8000_0000_0000_0000;

/// From this number on there are no conversions, but records that are rejected.
const REJECTED: u64 = 1 << 40;

/// A message for Kafka.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) partition: i32,
    pub(super) bytes: Vec<u8>,
}

/// Money of one revision: hundredths of the sale, ten-thousandths of the commission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Money {
    sale: i64,
    commission: i64,
}

/// What was sent so far, at most: it is noted before it is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) messages: u64,
    /// Distinct postbacks.
    pub(super) postbacks: u64,
    /// Distinct conversions.
    pub(super) conversions: u64,
    /// Hundredths of USD of the newest revisions.
    pub(super) usd: i64,
}

/// What must be in the tables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// Messages that are there, copies included.
    pub(super) messages: u64,
    /// Ids of records, each once.
    pub(super) ids: BTreeSet<Uuid>,
    /// Messages that are no records.
    pub(super) no_records: u64,
    /// Records that are rejected.
    pub(super) rejected: u64,
    /// By transaction id: sale and commission, as ClickHouse prints them.
    pub(super) conversions: BTreeMap<String, (String, String)>,
}

/// The books of one sender.
#[derive(Debug)]
pub(super) struct Books {
    partitions: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    chance: u64,
    sent: Sent,
    /// Revisions sent of each conversion, as bits.
    revisions: HashMap<u64, u8>,
    conversions: u64,
    others: u64,
    /// What was refused does not come again.
    spares_refused: bool,
}

impl Books {
    pub(super) fn open(partitions: u32, seed: u64) -> Self {
        let inner = Inner {
            chance: seed | 1,
            ..Inner::default()
        };
        Self {
            partitions: partitions.into(),
            inner: Mutex::new(inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sent(&self) -> Sent {
        self.lock().sent
    }

    /// From now on no further revision of a conversion that is refused is among the messages.
    pub(super) fn spare_refused(&self) {
        self.lock().spares_refused = true;
    }

    /// The next message, noted as sent.
    pub(super) fn next(&self) -> Message {
        let mut inner = self.lock();
        inner.sent.messages += 1;
        let partition = i32::try_from(inner.random(self.partitions)).expect("few");
        let bytes = match inner.random(100) {
            0 => inner.no_record(),
            1 | 2 => inner.rejected(),
            3..20 if inner.conversions > 0 => {
                let known = inner.conversions;
                let conversion = inner.random(known);
                let is_spared = inner.spares_refused && is_odd(conversion);
                inner.revision(conversion - u64::from(is_spared))
            }
            _ => {
                let conversion = inner.conversions;
                inner.conversions += 1;
                inner.revision(conversion)
            }
        };
        Message { partition, bytes }
    }
}

impl Inner {
    /// xorshift64: the same for the same seed.
    fn random(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % below
    }

    fn revision(&mut self, conversion: u64) -> Vec<u8> {
        let revision = self.random(REVISIONS);
        let sent = self.revisions.entry(conversion).or_default();
        let before = newest(*sent);
        let is_news = *sent & (1 << revision) == 0;
        *sent |= 1 << revision;
        let after = newest(*sent);
        self.sent.postbacks += u64::from(is_news);
        if !is_odd(conversion) {
            self.sent.conversions += u64::from(before.is_none());
            if is_in_dollars(conversion) {
                let worth = |revision: Option<u64>| {
                    revision.map_or(0, |revision| money(conversion, revision).sale)
                };
                self.sent.usd += worth(after) - worth(before);
            }
        }
        record(id(conversion, revision), &facts(conversion, revision))
    }

    fn rejected(&mut self) -> Vec<u8> {
        self.others += 1;
        self.sent.postbacks += 1;
        // Without a date it has no place among the conversions.
        record(id(REJECTED + self.others, 0), "is_event=N&sale_amount=1")
    }

    fn no_record(&mut self) -> Vec<u8> {
        self.others += 1;
        self.sent.postbacks += 1;
        format!("no record {}", self.others).into_bytes()
    }
}

fn newest(revisions: u8) -> Option<u64> {
    revisions.checked_ilog2().map(u64::from)
}

const fn is_odd(conversion: u64) -> bool {
    conversion % ODD_EVERY == 13
}

const fn is_in_dollars(conversion: u64) -> bool {
    !conversion.is_multiple_of(4)
}

fn money(conversion: u64, revision: u64) -> Money {
    let cents = 100 + conversion * 37 % 5_000 + revision * 251;
    let sale = i64::try_from(cents).expect("small");
    let sale = if is_in_dollars(conversion) {
        sale
    } else {
        -sale
    };
    // 7 % of it.
    Money {
        sale,
        commission: sale * 7,
    }
}

fn id(conversion: u64, revision: u64) -> Uuid {
    Uuid::from_u128(IDS + u128::from(conversion) * 256 + u128::from(revision))
}

/// The query of a postback. The days are in five months.
fn facts(conversion: u64, revision: u64) -> String {
    let Money { sale, commission } = money(conversion, revision);
    let currency = if is_in_dollars(conversion) {
        "USD"
    } else {
        "EUR"
    };
    let odd = if is_odd(conversion) {
        REFUSED_ORDERS
    } else {
        ""
    };
    format!(
        "is_event=N&etransaction_id={conversion:032}&order_id=order-{conversion}{odd}&sale_amount={}&commissions={}&currency={currency}\
         &transaction_date=2026-{:02}-{:02}T00:00:00Z&process_date=2026-08-{:02}T00:00:00Z",
        decimal(sale, 2),
        decimal(commission, 4),
        1 + conversion % 5,
        1 + conversion % 28,
        1 + revision,
    )
}

fn record(id: Uuid, query: &str) -> Vec<u8> {
    // Received in two months.
    let month = 9 + id.as_u128() / 256 % 2;
    format!(
        r#"{{"v":1,"id":"{id}","source":"rakuten-us","key":"k1","received_at":"2026-{month:02}-11T00:00:00.000000Z","method":"GET","query":{{"utf8":"{query}"}},"content_type":null,"body":null,"remote":"203.0.113.7","headers":{{}},"via":"http"}}"#
    )
    .into_bytes()
}

/// As people write it, and as ClickHouse prints it: no zeros at the end.
fn decimal(units: i64, decimals: u32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let (units, scale) = (units.unsigned_abs(), 10_u64.pow(decimals));
    let width = usize::try_from(decimals).expect("small");
    let text = format!("{sign}{}.{:0width$}", units / scale, units % scale);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What the messages of a topic must come to.
pub(super) fn expected<'a>(messages: impl IntoIterator<Item = &'a [u8]>) -> Expected {
    let mut expected = Expected::default();
    let mut revisions: BTreeMap<u64, u64> = BTreeMap::new();
    let mut refused = BTreeSet::new();
    for bytes in messages {
        expected.messages += 1;
        let Ok(record) = serde_json::from_slice::<Value>(bytes) else {
            expected.no_records += 1;
            continue;
        };
        let id: Uuid = record["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .expect("our record");
        expected.ids.insert(id);
        let place = u64::try_from(id.as_u128() - IDS).expect("our id");
        let (conversion, revision) = (place / 256, place % 256);
        if conversion >= REJECTED || is_odd(conversion) {
            refused.insert(id);
            continue;
        }
        let newest = revisions.entry(conversion).or_default();
        *newest = revision.max(*newest);
    }
    expected.rejected = refused.len() as u64;
    for (conversion, revision) in revisions {
        let Money { sale, commission } = money(conversion, revision);
        let amounts = (decimal(sale, 2), decimal(commission, 4));
        expected
            .conversions
            .insert(format!("{conversion:032}"), amounts);
    }
    expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_what_is_expected() {
        let books = Books::open(12, 7);
        let messages: Vec<Message> = (0..20_000).map(|_| books.next()).collect();
        let sent = books.sent();
        let expected = expected(messages.iter().map(|message| &*message.bytes));
        let distinct = expected.ids.len() as u64 + expected.no_records;
        assert_eq!((sent.messages, sent.postbacks), (20_000, distinct));
        assert_eq!(sent.conversions, expected.conversions.len() as u64);
        assert!(distinct < 20_000, "some are told twice");
        let dollars = expected.conversions.iter();
        let dollars = dollars.filter(|(_, (sale, _))| !sale.starts_with('-'));
        let sum: f64 = dollars
            .map(|(_, (sale, _))| sale.parse::<f64>().unwrap())
            .sum();
        assert!(
            (sum * 100.0 - sent.usd as f64).abs() < 0.5,
            "{sum} {sent:?}"
        );
        assert!((0..12).all(|partition| messages.iter().any(|m| m.partition == partition)));
    }

    #[test]
    fn decimals_are_written_without_zeros_at_the_end() {
        for (units, decimals, text) in [
            (125, 2, "1.25"),
            (-120, 2, "-1.2"),
            (100, 2, "1"),
            (-7, 4, "-0.0007"),
            (0, 2, "0"),
        ] {
            assert_eq!(decimal(units, decimals), text);
        }
    }
}
