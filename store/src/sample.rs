//! A sample of what a generation holds, to be judged by other rules without writing anything.

use std::time::Duration;

use clickhouse::{Client, Row};
use serde::Deserialize;
use uuid::Uuid;

use crate::connection::run_within;
use crate::error::StoreError;
use crate::tables::{FINAL_WITHIN_PARTITIONS, Generation};

/// Longest time for one question: the sample stands all over the tables.
const WITHIN: Duration = Duration::from_mins(10);

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
    /// The topic that it was read from.
    pub kafka_topic: String,
    /// Its partition there.
    pub kafka_partition: u32,
    /// Its offset there.
    pub kafka_offset: u64,
}

/// The conversion that was made of a postback of the sample, where it is the newest revision.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct SampledConversion {
    #[serde(with = "clickhouse::serde::uuid")]
    pub postback_id: Uuid,
    pub source: String,
    pub network: String,
    pub account: String,
    pub kind: String,
    pub status: String,
    pub transaction_id: String,
    pub order_id: String,
    pub click_id: String,
    pub sub_ids: Vec<(String, String)>,
    pub advertiser_id: String,
    pub publisher_id: String,
    pub offer_id: String,
    pub sku: String,
    pub product_name: String,
    /// Ten-thousandths.
    pub quantity: Option<i64>,
    /// Ten-thousandths.
    pub sale_amount: Option<i64>,
    /// Ten-thousandths.
    pub commission: Option<i64>,
    pub currency: String,
    pub commission_currency: String,
    /// Microseconds since 1970, UTC.
    pub occurred_at: Option<i64>,
    /// Microseconds since 1970, UTC.
    pub processed_at: Option<i64>,
    pub flags: Vec<String>,
    pub extra: Vec<(String, Vec<String>)>,
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
         ifNull(toString(conversion_key), '') AS conversion_key, ifNull(toString(key_day), '') AS key_day, \
         toString(kafka_topic) AS kafka_topic, kafka_partition, kafka_offset \
         FROM {table} FINAL WHERE id IN (SELECT id FROM {table} ORDER BY sipHash64(id) LIMIT {rows}) \
         SETTINGS {FINAL_WITHIN_PARTITIONS}",
        table = generation.postbacks()
    );
    all(client, "read a sample of postbacks", &sql).await
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
    let units = |column: &str| format!("toInt64(toDecimal128({column}, 4) * 10000)");
    let sql = format!(
        "SELECT postback_id, toString(source) AS source, toString(network) AS network, toString(account) AS account, \
         toString(kind) AS kind, toString(status) AS status, transaction_id, order_id, click_id, sub_ids, \
         advertiser_id, publisher_id, offer_id, sku, product_name, {quantity} AS quantity, \
         {sale_amount} AS sale_amount, {commission} AS commission, \
         toString(currency) AS currency, toString(commission_currency) AS commission_currency, \
         toUnixTimestamp64Micro(occurred_at) AS occurred_at, toUnixTimestamp64Micro(processed_at) AS processed_at, \
         arrayMap(f -> toString(f), flags) AS flags, extra \
         FROM {conversions} FINAL WHERE postback_id IN (SELECT id FROM {postbacks} ORDER BY sipHash64(id) LIMIT {rows}) \
         SETTINGS {FINAL_WITHIN_PARTITIONS}",
        quantity = units("quantity"),
        sale_amount = units("sale_amount"),
        commission = units("commission"),
        conversions = generation.conversions(),
        postbacks = generation.postbacks()
    );
    all(client, "read a sample of conversions", &sql).await
}

async fn all<T: clickhouse::RowOwned + clickhouse::RowRead>(
    client: &Client,
    attempt: &str,
    sql: &str,
) -> Result<Vec<T>, StoreError> {
    let query = client.query_raw(sql);
    let query = query.with_setting("max_execution_time", WITHIN.as_secs().to_string());
    run_within(WITHIN, attempt, query.fetch_all()).await
}
