//! A sample of what a generation holds, to be judged by other rules without writing anything.

use clickhouse::{Client, Row};
use serde::Deserialize;
use uuid::Uuid;

use crate::connection::run;
use crate::error::StoreError;
use crate::tables::{FINAL_WITHIN_PARTITIONS, Generation};

/// A postback of the sample.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct SampledPostback {
    /// Its id.
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    /// The raw record.
    pub raw: String,
    /// `accepted` or `rejected`.
    pub outcome: String,
    /// Why it was rejected.
    pub reasons: Vec<String>,
    /// Its conversion's key, as text; empty where there is none.
    pub conversion_key: String,
    /// Its conversion's `key_day`, as `2026-08-31`; empty where there is none.
    pub key_day: String,
}

/// The conversion that was made of a postback of the sample, where it is the newest revision.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct SampledConversion {
    #[serde(with = "clickhouse::serde::uuid")]
    pub postback_id: Uuid,
    pub kind: String,
    pub status: String,
    pub transaction_id: String,
    pub order_id: String,
    pub click_id: String,
    pub advertiser_id: String,
    /// Ten-thousandths.
    pub sale_amount: Option<i64>,
    /// Ten-thousandths.
    pub commission: Option<i64>,
    pub currency: String,
    pub commission_currency: String,
    /// Microseconds since 1970, UTC.
    pub occurred_at: Option<i64>,
    pub flags: Vec<String>,
}

/// About `rows` postbacks, chosen by a hash of their ids: the same ones each time.
///
/// # Errors
/// As the server answers.
pub async fn postbacks(
    client: &Client,
    generation: Generation,
    rows: u64,
) -> Result<Vec<SampledPostback>, StoreError> {
    let sql = format!(
        "SELECT id, raw, toString(outcome) AS outcome, arrayMap(r -> toString(r), reasons) AS reasons, \
         ifNull(toString(conversion_key), '') AS conversion_key, ifNull(toString(key_day), '') AS key_day \
         FROM {table} FINAL WHERE id IN (SELECT id FROM {table} ORDER BY sipHash64(id) LIMIT {rows}) \
         SETTINGS {FINAL_WITHIN_PARTITIONS}",
        table = generation.postbacks()
    );
    run(
        "read a sample of postbacks",
        client.query_raw(&sql).fetch_all(),
    )
    .await
}

/// The conversions that were made of these postbacks.
///
/// # Errors
/// As the server answers.
pub async fn conversions(
    client: &Client,
    generation: Generation,
    rows: u64,
) -> Result<Vec<SampledConversion>, StoreError> {
    let sql = format!(
        "SELECT postback_id, toString(kind) AS kind, toString(status) AS status, transaction_id, order_id, click_id, \
         advertiser_id, toInt64(toDecimal128(sale_amount, 4) * 10000) AS sale_amount, \
         toInt64(toDecimal128(commission, 4) * 10000) AS commission, \
         toString(currency) AS currency, toString(commission_currency) AS commission_currency, \
         toUnixTimestamp64Micro(occurred_at) AS occurred_at, arrayMap(f -> toString(f), flags) AS flags \
         FROM {conversions} FINAL WHERE postback_id IN (SELECT id FROM {postbacks} ORDER BY sipHash64(id) LIMIT {rows}) \
         SETTINGS {FINAL_WITHIN_PARTITIONS}",
        conversions = generation.conversions(),
        postbacks = generation.postbacks()
    );
    run(
        "read a sample of conversions",
        client.query_raw(&sql).fetch_all(),
    )
    .await
}
