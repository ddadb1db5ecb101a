//! What differs between two generations: postbacks by outcome and reason, money by currency, and
//! conversions column by column.

use clickhouse::{Client, Row};
use serde::Deserialize;
use std::fmt::Write as _;
use std::time::Duration;
use uuid::Uuid;

use crate::connection::{run, run_within};
use crate::error::StoreError;
use crate::generations::Offsets;
use crate::tables::{FINAL_WITHIN_PARTITIONS, Generation};

/// Longest time for one question.
const WITHIN: Duration = Duration::from_mins(10);
/// Kinds of change that are told apart.
const MAX_CHANGES: u32 = 50;

/// Two generations to be compared: the second one is the newer, or the one to switch to.
#[derive(Debug, Clone)]
pub struct Comparison {
    client: Client,
    one: Generation,
    other: Generation,
    /// Postbacks from these offsets on are left out.
    until: Option<Offsets>,
}

/// Postbacks of one outcome.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Outcomes {
    /// `accepted` or `rejected`.
    pub outcome: String,
    /// Why it was rejected.
    pub reasons: Vec<String>,
    /// In the first generation.
    pub one: u64,
    /// In the second.
    pub other: u64,
}

/// Money of one currency: of transactions that count, reversals included.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Money {
    /// `sale_amount` or `commission`.
    pub amount: String,
    /// ISO 4217; empty where unknown.
    pub currency: String,
    /// Conversions of the first generation.
    pub one_rows: u64,
    /// Of the second.
    pub other_rows: u64,
    /// Ten-thousandths.
    pub one: i128,
    /// Ten-thousandths.
    pub other: i128,
}

/// Conversions made of the same postback that differ in the same columns.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Change {
    /// In which.
    pub columns: Vec<String>,
    /// How many.
    pub rows: u64,
    /// One of them: its postback.
    #[serde(with = "clickhouse::serde::uuid")]
    pub postback_id: Uuid,
    /// Its columns in the first generation.
    pub one: Vec<String>,
    /// And in the second.
    pub other: Vec<String>,
}

/// Conversions of postbacks with several that the other generation lacks: it made another conversion
/// of the order, or none, or has it from another postback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Row, Deserialize)]
pub struct Unpaired {
    /// Of the first generation.
    pub one: u64,
    /// Of the second.
    pub other: u64,
    /// The postback of one of them; all zeros without any.
    #[serde(with = "clickhouse::serde::uuid")]
    pub postback_id: Uuid,
}

/// Columns of a conversion in which two generations can differ.
pub const COLUMNS: [&str; 25] = [
    "source",
    "network",
    "account",
    "conversion_key",
    "key_day",
    "kind",
    "status",
    "transaction_id",
    "order_id",
    "click_id",
    "sub_ids",
    "advertiser_id",
    "publisher_id",
    "offer_id",
    "sku",
    "product_name",
    "quantity",
    "sale_amount",
    "commission",
    "currency",
    "commission_currency",
    "occurred_at",
    "processed_at",
    "flags",
    "extra",
];

/// Conversions of a generation that outlived their postbacks: those of accounts without a date stay
/// when `keep_days` has their postbacks dropped by the month. A replay has nothing to make them of.
///
/// # Errors
/// As the server answers.
pub async fn without_postbacks(client: &Client, generation: Generation) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT count() FROM {} FINAL WHERE toYYYYMM(key_day) = 197001 AND received_at < \
         ifNull((SELECT toStartOfMonth(minOrNull(received_at)) FROM {}), toDate('2149-06-06')) \
         SETTINGS {FINAL_WITHIN_PARTITIONS}",
        generation.conversions(),
        generation.postbacks()
    );
    let attempt = "count conversions that outlived their postbacks";
    run(attempt, client.query_raw(&sql).fetch_one()).await
}

impl Comparison {
    /// Of two generations; with `until`, only of postbacks before these offsets.
    #[must_use]
    pub fn new(client: Client, one: Generation, other: Generation, until: Option<Offsets>) -> Self {
        Self {
            client,
            one,
            other,
            until,
        }
    }

    /// Postbacks by outcome and reasons, the most frequent first.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn outcomes(&self) -> Result<Vec<Outcomes>, StoreError> {
        let part = |generation: Generation, is_other: u8| {
            format!(
                "SELECT outcome, reasons, {is_other} AS is_other FROM {} FINAL WHERE {}",
                generation.postbacks(),
                self.before()
            )
        };
        let sql = format!(
            "SELECT toString(outcome) AS outcome, arrayMap(r -> toString(r), reasons) AS reasons, \
             countIf(is_other = 0) AS one, countIf(is_other = 1) AS other \
             FROM ({} UNION ALL {}) GROUP BY outcome, reasons ORDER BY one + other DESC, outcome, reasons \
             SETTINGS {FINAL_WITHIN_PARTITIONS}",
            part(self.one, 0),
            part(self.other, 1)
        );
        self.all("compare the outcomes", &sql).await
    }

    /// Money by currency.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn money(&self) -> Result<Vec<Money>, StoreError> {
        let mut parts = Vec::new();
        for (generation, is_other) in [(self.one, 0), (self.other, 1)] {
            for (amount, currency) in [
                ("sale_amount", "currency"),
                ("commission", "commission_currency"),
            ] {
                let mut sql = format!(
                    "SELECT '{amount}' AS amount, toString({currency}) AS currency, \
                     toInt128(toDecimal128(assumeNotNull({amount}), 4) * 10000) AS units, {is_other} AS is_other FROM {} FINAL \
                     WHERE kind = 'transaction' AND status != 'rejected' AND isNotNull({amount})",
                    generation.conversions()
                );
                if self.until.is_some() {
                    let ids = self.ids_before();
                    write!(sql, " AND postback_id IN ({ids})").ok();
                }
                parts.push(sql);
            }
        }
        let sql = format!(
            "SELECT amount, currency, countIf(is_other = 0) AS one_rows, countIf(is_other = 1) AS other_rows, \
             sumIf(units, is_other = 0) AS one, sumIf(units, is_other = 1) AS other \
             FROM ({}) GROUP BY amount, currency ORDER BY amount DESC, currency SETTINGS {FINAL_WITHIN_PARTITIONS}",
            parts.join(" UNION ALL ")
        );
        self.all("compare the money", &sql).await
    }

    /// Conversions of each whose postbacks went with their month.
    ///
    /// # Errors
    /// As [`without_postbacks`].
    pub async fn without_postbacks(&self) -> Result<(u64, u64), StoreError> {
        Ok((
            without_postbacks(&self.client, self.one).await?,
            without_postbacks(&self.client, self.other).await?,
        ))
    }

    /// Conversions of both that were made of the same postback and differ, by the columns in which
    /// they do. Where a postback has several, those of one key belong together.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn changes(&self) -> Result<Vec<Change>, StoreError> {
        let several = self.several();
        let side = |generation: Generation, prefix: char| {
            let columns: Vec<_> = (COLUMNS.iter())
                .map(|column| format!("toString({column}) AS {prefix}_{column}"))
                .collect();
            let mut sql = format!(
                "SELECT postback_id, if(postback_id IN ({several}), sipHash128(account, conversion_key), \
                 toFixedString('', 16)) AS nth, {} FROM {} FINAL",
                columns.join(", "),
                generation.conversions()
            );
            if self.until.is_some() {
                let ids = self.ids_before();
                write!(sql, " WHERE postback_id IN ({ids})").ok();
            }
            sql
        };
        let texts = |prefix: char| {
            let all = COLUMNS.map(|column| format!("ifNull({prefix}_{column}, 'NULL')"));
            format!("[{}]", all.join(", "))
        };
        let names = COLUMNS.map(|column| format!("'{column}'")).join(", ");
        let sql = format!(
            "SELECT columns, count() AS rows, min(id) AS postback_id, \
             argMin(ones, id) AS one, argMin(others, id) AS other FROM (\
               SELECT postback_id AS id, {} AS all_one, {} AS all_other, [{names}] AS names, \
               arrayFilter((n, a, b) -> a != b, names, all_one, all_other) AS columns, \
               arrayFilter((a, b) -> a != b, all_one, all_other) AS ones, \
               arrayFilter((b, a) -> a != b, all_other, all_one) AS others \
               FROM ({}) AS o INNER JOIN ({}) AS n USING (postback_id, nth)) \
             WHERE notEmpty(columns) GROUP BY columns ORDER BY rows DESC, columns LIMIT {MAX_CHANGES} \
             SETTINGS {FINAL_WITHIN_PARTITIONS}, join_algorithm = 'grace_hash'",
            texts('o'),
            texts('n'),
            side(self.one, 'o'),
            side(self.other, 'n')
        );
        self.all("compare the conversions", &sql).await
    }

    /// What [`Comparison::changes`] finds no counterpart for.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn unpaired(&self) -> Result<Unpaired, StoreError> {
        let mut of = self.several();
        if self.until.is_some() {
            of = format!("SELECT id FROM ({of}) WHERE id IN ({})", self.ids_before());
        }
        let side = |generation: Generation, is_other: u8| {
            format!(
                "SELECT postback_id AS id, account, conversion_key, {is_other} AS is_other FROM {} FINAL \
                 WHERE postback_id IN ({of})",
                generation.conversions()
            )
        };
        let sql = format!(
            "SELECT countIf(is_last = 0) AS one, countIf(is_first = 1) AS other, min(id) AS postback_id FROM (\
               SELECT id, min(is_other) AS is_first, max(is_other) AS is_last FROM ({} UNION ALL {}) \
               GROUP BY id, account, conversion_key HAVING is_first = is_last) \
             SETTINGS {FINAL_WITHIN_PARTITIONS}",
            side(self.one, 0),
            side(self.other, 1)
        );
        let query = self.client.query_raw(&sql);
        let query = query.with_setting("max_execution_time", WITHIN.as_secs().to_string());
        let attempt = "compare postbacks with several conversions";
        run_within(WITHIN, attempt, query.fetch_one()).await
    }

    /// The postbacks that have several conversions in one of them: such rows have no key.
    fn several(&self) -> String {
        let of = |generation: Generation| {
            format!(
                "SELECT id FROM {} WHERE outcome = 'accepted' AND isNull(conversion_key)",
                generation.postbacks()
            )
        };
        format!("{} UNION DISTINCT {}", of(self.one), of(self.other))
    }

    /// True for postbacks before the offsets.
    fn before(&self) -> String {
        let Some(until) = &self.until else {
            return "1".to_owned();
        };
        let list = |numbers: Vec<String>| format!("[{}]", numbers.join(", "));
        let partitions = list(until.keys().map(|p| format!("toUInt32({p})")).collect());
        let offsets = list(until.values().map(|o| format!("toUInt64({o})")).collect());
        format!("kafka_offset < transform(kafka_partition, {partitions}, {offsets}, toUInt64(0))")
    }

    fn ids_before(&self) -> String {
        let before = self.before();
        let (one, other) = (self.one.postbacks(), self.other.postbacks());
        format!(
            "SELECT id FROM {one} WHERE {before} UNION DISTINCT SELECT id FROM {other} WHERE {before}"
        )
    }

    async fn all<T: clickhouse::RowOwned + clickhouse::RowRead>(
        &self,
        attempt: &str,
        sql: &str,
    ) -> Result<Vec<T>, StoreError> {
        let query = self.client.query_raw(sql);
        let seconds = WITHIN.as_secs().to_string();
        let query = query.with_setting("max_execution_time", seconds);
        run_within(WITHIN, attempt, query.fetch_all()).await
    }
}
