//! Which ranges were fetched from a network's API, how far each run is, and what it found missing.
//!
//! A note is written whenever Kafka has confirmed everything before it, so a run that was killed goes
//! on behind the last note. What comes twice has the same id, and counts once.

use std::collections::BTreeMap;

use clickhouse::{Client, Row};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::connection::run;
use crate::error::StoreError;
use crate::reports::{Money, micros};
use crate::single::{self, written};
use crate::tables::{BACKFILLS, BACKFILLS_LOG};

/// One run, as it was last noted.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Backfill {
    /// One range of one source.
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    /// Number of the note.
    pub step: u64,
    /// Whose network was asked.
    pub source: String,
    /// Begin of the range by process date, inclusive, UTC.
    #[serde(deserialize_with = "micros")]
    pub range_from: Timestamp,
    /// Its end, exclusive, UTC.
    #[serde(deserialize_with = "micros")]
    pub range_to: Timestamp,
    /// When it was begun, UTC.
    #[serde(deserialize_with = "micros")]
    pub started_at: Timestamp,
    /// All before this process date is done with, UTC.
    #[serde(deserialize_with = "micros")]
    pub done_through: Timestamp,
    /// Transactions that the API gave, each content once.
    pub pulled: u64,
    /// Of them in the tables with the same content.
    pub matched: u64,
    /// Not in the tables: sent.
    pub missing: u64,
    /// In the tables with other content: sent.
    pub changed: u64,
    /// In the tables with an older time of the network: sent.
    pub newer: u64,
    /// In the tables with other content that would not be replaced, or that says more: not sent.
    pub undecided: u64,
    /// No row by the source's rules: sent, unless an earlier run sent the same.
    pub rejected: u64,
    /// Older contents of a transaction that the same run saw in a newer one: not sent.
    pub superseded: u64,
    /// What was sent, in money.
    pub totals: Vec<Total>,
    /// All of the range is done with.
    pub is_finished: bool,
    /// Who started it.
    pub made_by: String,
    /// When this was noted, UTC.
    #[serde(deserialize_with = "micros")]
    pub recorded_at: Timestamp,
}

/// What was sent for one reason, of one kind, in one currency. A transaction whose commission has
/// another currency than its sale is counted with its sale alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "(String, String, String, u64, i128, i128)")]
pub struct Total {
    /// `missing`, `changed` or `newer`.
    pub why: String,
    /// `transaction`, `signal` or `unknown`.
    pub kind: String,
    /// ISO 4217; empty where unknown.
    pub currency: String,
    /// How many.
    pub transactions: u64,
    /// Sum of the sales in this currency, exact.
    pub sale_amount: Money,
    /// Sum of the commissions in this currency, exact.
    pub commission: Money,
}

/// As the server sends it: a tuple, in the order of its parts.
impl From<(String, String, String, u64, i128, i128)> for Total {
    fn from(
        (why, kind, currency, transactions, sale_amount, commission): (
            String,
            String,
            String,
            u64,
            i128,
            i128,
        ),
    ) -> Self {
        Self {
            why,
            kind,
            currency,
            transactions,
            sale_amount: Money(sale_amount),
            commission: Money(commission),
        }
    }
}

/// What the tables lacked, in one currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lacked {
    /// Reversals included.
    pub transactions: u64,
    /// Sum of the sales, exact; reversals are negative.
    pub sale_amount: Money,
    /// Sum of the commissions, exact; as above.
    pub commission: Money,
}

impl Backfill {
    /// How much of the range the tables lacked, by currency: transactions alone, since signals pay
    /// nothing; what was there with other content is left out.
    #[must_use]
    pub fn lacked(&self) -> BTreeMap<&str, Lacked> {
        let mut lacked: BTreeMap<&str, Lacked> = BTreeMap::new();
        let counted = |total: &&Total| total.why == "missing" && total.kind == "transaction";
        for total in self.totals.iter().filter(counted) {
            let of_currency = lacked.entry(&total.currency).or_default();
            of_currency.transactions += total.transactions;
            of_currency.sale_amount = of_currency.sale_amount + total.sale_amount;
            of_currency.commission = of_currency.commission + total.commission;
        }
        lacked
    }

    /// Transactions that were sent to become rows.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.missing + self.changed + self.newer
    }
}

const COLUMNS: &str = "id, step, toString(source) AS source, range_from, range_to, started_at, done_through, pulled, \
     matched, missing, changed, newer, undecided, rejected, superseded, \
     arrayMap(t -> (toString(t.why), toString(t.kind), toString(t.currency), t.transactions, t.sale_amount, t.commission), totals) AS totals, \
     is_finished, made_by, recorded_at";

/// The newest run of a source over a range that begins at `from` and ends at `to` or before, finished or
/// not: a range that ends now ended earlier when it was begun.
///
/// # Errors
/// As the server answers.
pub async fn newest(
    client: &Client,
    source: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Option<Backfill>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {BACKFILLS} WHERE source = {{source:String}} \
         AND range_from = fromUnixTimestamp64Micro({{from:Int64}}) AND range_to <= fromUnixTimestamp64Micro({{to:Int64}}) \
         ORDER BY started_at DESC, id LIMIT 1"
    );
    let query = client
        .query_raw(&sql)
        .param("source", source)
        .param("from", from.as_microsecond())
        .param("to", to.as_microsecond());
    run("look for an earlier backfill", query.fetch_optional()).await
}

/// The times of which a source's runs have fetched everything, with an end since `since`: `from`
/// inclusive and `to` exclusive, UTC. What came after a run had ended was not fetched by it, whatever
/// its range. `names` are all that the source has and had.
///
/// # Errors
/// As the server answers.
pub async fn finished(
    client: &Client,
    names: &[&str],
    since: Timestamp,
) -> Result<Vec<(Timestamp, Timestamp)>, StoreError> {
    #[derive(Row, Deserialize)]
    struct Fetched {
        #[serde(deserialize_with = "micros")]
        range_from: Timestamp,
        #[serde(deserialize_with = "micros")]
        fetched_to: Timestamp,
    }
    let sql = format!(
        "SELECT range_from, least(range_to, recorded_at) AS fetched_to FROM {BACKFILLS} \
         WHERE is_finished AND source IN {{sources:Array(String)}} AND fetched_to > range_from \
         AND fetched_to >= fromUnixTimestamp64Micro({{since:Int64}}) ORDER BY range_from"
    );
    let query = client
        .query_raw(&sql)
        .param("sources", names)
        .param("since", since.as_microsecond());
    let fetched: Vec<Fetched> = run("read what was fetched", query.fetch_all()).await?;
    let times = fetched.into_iter();
    Ok(times.map(|one| (one.range_from, one.fetched_to)).collect())
}

/// The runs of a source, or of all sources, the newest first, at most `limit`.
///
/// # Errors
/// As the server answers.
pub async fn latest(
    client: &Client,
    source: Option<&str>,
    limit: u32,
) -> Result<Vec<Backfill>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {BACKFILLS} WHERE {{source:String}} IN ('', source) \
         ORDER BY started_at DESC, id LIMIT {limit}"
    );
    let query = client
        .query_raw(&sql)
        .param("source", source.unwrap_or_default());
    run("list the backfills", query.fetch_all()).await
}

/// Notes how far a run is. The highest `step` of an id counts.
///
/// # Errors
/// As the server answers; it may have been noted.
pub async fn note(client: &Client, backfill: &Backfill) -> Result<(), StoreError> {
    let columns = "id, step, source, range_from, range_to, started_at, done_through, pulled, matched, missing, changed, \
                   newer, undecided, rejected, superseded, totals, is_finished, made_by";
    let into = format!("{BACKFILLS_LOG} ({columns})");
    single::add(
        client,
        "note how far the backfill is",
        &into,
        &Noted::of(backfill),
    )
    .await
}

#[derive(Serialize)]
struct Noted<'a> {
    id: Uuid,
    step: u64,
    source: &'a str,
    range_from: String,
    range_to: String,
    started_at: String,
    done_through: String,
    pulled: u64,
    matched: u64,
    missing: u64,
    changed: u64,
    newer: u64,
    undecided: u64,
    rejected: u64,
    superseded: u64,
    totals: Vec<NotedTotal<'a>>,
    is_finished: bool,
    made_by: &'a str,
}

#[derive(Serialize)]
struct NotedTotal<'a> {
    why: &'a str,
    kind: &'a str,
    currency: &'a str,
    transactions: u64,
    sale_amount: String,
    commission: String,
}

impl<'a> Noted<'a> {
    fn of(run: &'a Backfill) -> Self {
        let total = |total: &'a Total| NotedTotal {
            why: &total.why,
            kind: &total.kind,
            currency: &total.currency,
            transactions: total.transactions,
            sale_amount: decimal(total.sale_amount),
            commission: decimal(total.commission),
        };
        Self {
            id: run.id,
            step: run.step,
            source: &run.source,
            range_from: written(run.range_from),
            range_to: written(run.range_to),
            started_at: written(run.started_at),
            done_through: written(run.done_through),
            pulled: run.pulled,
            matched: run.matched,
            missing: run.missing,
            changed: run.changed,
            newer: run.newer,
            undecided: run.undecided,
            rejected: run.rejected,
            superseded: run.superseded,
            totals: run.totals.iter().map(total).collect(),
            is_finished: run.is_finished,
            made_by: &run.made_by,
        }
    }
}

/// Ten-thousandths as a decimal, exact.
fn decimal(money: Money) -> String {
    let sign = if money.0 < 0 { "-" } else { "" };
    let units = money.0.unsigned_abs();
    format!("{sign}{}.{:04}", units / 10_000, units % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_exactly() {
        let cases = [
            (0, "0.0000"),
            (-54_000, "-5.4000"),
            (-1, "-0.0001"),
            (12_345, "1.2345"),
        ];
        for (units, text) in cases {
            assert_eq!(decimal(Money(units)), text);
        }
    }
}
