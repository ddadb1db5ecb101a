//! What a network has by its own API, against what it pushed.
//!
//! A transaction is *missed* when all that came of it was fetched (`via = backfill`): the network's
//! postback never arrived, or was not acknowledged. Why, by when the network processed it:
//!
//! - *off*: the endpoint was disabled at the network, or none was registered.
//! - *refused*: requests of the source were refused within the same minutes.
//! - *unknown*: neither: it may have been late, or lost on the way.
//!
//! Only what was fetched can be seen to be missing: a time that nobody fetched has no missed pushes.

use clickhouse::Row;
use clickhouse::query::Query;
use jiff::Timestamp;
use serde::Deserialize;

use super::decode::{micros, optional_micros, optional_money};
use super::question::{Question, Table};
use super::{Money, Reader};
use crate::endpoints::Outage;
use crate::error::StoreError;

/// Transactions that were fetched and never pushed. What is fetched was processed before; clocks may
/// differ by some days.
const MISSED: &str = "WITH pulled AS (
        SELECT DISTINCT account, assumeNotNull(key_day) AS key_day, assumeNotNull(conversion_key) AS conversion_key
        FROM {postbacks} WHERE via = 'backfill' AND outcome = 'accepted' AND isNotNull(conversion_key)
            AND received_at >= fromUnixTimestamp64Micro({from:Int64}) - INTERVAL 3 DAY
    )
    SELECT account, key_day, conversion_key FROM pulled
    WHERE (account, key_day, conversion_key) NOT IN (
        SELECT account, assumeNotNull(key_day), assumeNotNull(conversion_key) FROM {postbacks}
        WHERE via != 'backfill' AND outcome = 'accepted' AND isNotNull(conversion_key)
            AND (account, key_day, conversion_key) IN (SELECT account, key_day, conversion_key FROM pulled)
    )";

/// 1: off, 2: refused, 0: unknown.
const WHY: &str = "multiIf(
        arrayExists((name, off_from, off_to) -> name = toString(source)
            AND toUnixTimestamp64Micro(ifNull(processed_at, received_at)) >= off_from
            AND toUnixTimestamp64Micro(ifNull(processed_at, received_at)) < off_to,
            {off_sources:Array(String)}, {off_from:Array(Int64)}, {off_to:Array(Int64)}), 1,
        (toString(source), toStartOfInterval(ifNull(processed_at, received_at), INTERVAL 10 MINUTE)) IN (
            SELECT toString(source), toStartOfInterval(refused_at, INTERVAL 10 MINUTE) FROM refusals
            WHERE source != '' AND refused_at >= fromUnixTimestamp64Micro({from:Int64}) - INTERVAL 1 DAY
                AND refused_at < fromUnixTimestamp64Micro({to:Int64}) + INTERVAL 1 DAY), 2,
        0)";

const REASONS: [&str; 3] = ["unknown", "off", "refused"];

/// Figures of one row of the question (or of all) in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Row, Deserialize)]
pub struct Pushes {
    is_total: u8,
    /// What it is of: a text for each of the question's names, none in totals.
    pub dimension: Vec<String>,
    /// ISO 4217 of the sale; empty where unknown.
    #[serde(rename = "money_currency")]
    pub currency: String,
    /// All of them, pushed or fetched, reversals included.
    pub transactions: u64,
    /// Of them never pushed.
    pub missed: u64,
    /// Net: a missed reversal is negative.
    pub missed_sales: Money,
    /// Net; in the currency of the sale.
    pub missed_commission: Money,
    /// Missed while the endpoint was off.
    pub while_off: u64,
    /// Missed while requests were refused.
    pub while_refused: u64,
}

impl Pushes {
    /// Missed for no known reason.
    #[must_use]
    pub const fn unknown(&self) -> u64 {
        self.missed - self.while_off - self.while_refused
    }
}

/// The whole report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// By dimension, then currency.
    pub rows: Vec<Pushes>,
    /// One per currency.
    pub totals: Vec<Pushes>,
    /// Transactions without the chosen date, whenever they came: outside of every range.
    pub undated: u64,
}

/// A missed push.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Missed {
    /// The network's id.
    pub transaction_id: String,
    /// The advertiser's number.
    pub order_id: String,
    /// By the network's id.
    pub advertiser_id: String,
    /// The publisher's own id; empty: unattributed.
    pub click_id: String,
    /// When the customer bought, UTC.
    #[serde(deserialize_with = "optional_micros")]
    pub occurred_at: Option<Timestamp>,
    /// When the network processed it, UTC.
    #[serde(deserialize_with = "optional_micros")]
    pub processed_at: Option<Timestamp>,
    /// When it was fetched, UTC.
    #[serde(deserialize_with = "micros")]
    pub fetched_at: Timestamp,
    /// Of the sale.
    #[serde(rename = "money_currency")]
    pub currency: String,
    /// Negative for a reversal.
    #[serde(deserialize_with = "optional_money")]
    pub sale_amount: Option<Money>,
    /// Negative for a reversal.
    #[serde(deserialize_with = "optional_money")]
    pub commission: Option<Money>,
    /// `off`, `refused` or `unknown`.
    pub why: String,
    /// How many are missed in all.
    pub total: u64,
}

impl Reader {
    /// How many transactions were pushed, and how many only fetched. `off` says when the network sent
    /// nothing.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn pushes(&self, asked: &Question, off: &[Outage]) -> Result<Report, StoreError> {
        let query = self.about_pushes(include_str!("pushes.sql"), asked, off);
        let found: Vec<Pushes> = self.all("look for missed pushes", query).await?;
        let (totals, mut rows): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|row| row.is_total == 1);
        for row in &mut rows {
            row.dimension = asked.labels(&row.dimension);
        }
        let has_any = |row: &Pushes| row.transactions > 0;
        Ok(Report {
            rows: rows.into_iter().filter(has_any).collect(),
            totals: totals.into_iter().filter(has_any).collect(),
            undated: self.undated(asked).await?,
        })
    }

    /// Missed pushes one by one, by when the network processed them, at most `limit`.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn missed_pushes(
        &self,
        asked: &Question,
        off: &[Outage],
        limit: u64,
    ) -> Result<Vec<Missed>, StoreError> {
        let reasons = REASONS.map(|reason| format!("'{reason}'")).join(", ");
        let sql = format!(
            "WITH missed AS ({{missed}}) \
             SELECT transaction_id, order_id, advertiser_id, click_id, occurred_at, processed_at, \
             received_at AS fetched_at, toString(currency) AS money_currency, sale_amount, commission, \
             [{reasons}][{{why}} + 1] AS why, count() OVER () AS total \
             FROM {{conversions}} FINAL WHERE {{scope}} AND kind = 'transaction' \
             AND (account, key_day, conversion_key) IN (SELECT account, key_day, conversion_key FROM missed) \
             ORDER BY processed_at, order_id, transaction_id LIMIT {limit}"
        );
        let query = self.about_pushes(&sql, asked, off);
        self.all("list missed pushes", query).await
    }

    fn about_pushes(&self, sql: &str, asked: &Question, off: &[Outage]) -> Query {
        let sql = sql.replace("{missed}", MISSED).replace("{why}", WHY);
        let column = |of: fn(&Outage) -> i64| off.iter().map(of).collect::<Vec<_>>();
        let names: Vec<&str> = off.iter().map(|off| &*off.source).collect();
        self.asked(&sql, Table::Conversions, asked)
            .param("off_sources", names)
            .param("off_from", column(|off| off.from.as_microsecond()))
            .param(
                "off_to",
                column(|off| off.to.map_or(i64::MAX, Timestamp::as_microsecond)),
            )
    }
}
