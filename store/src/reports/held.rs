//! What the tables hold of conversions whose keys are known: to compare it with what a network's API
//! says of them.

use clickhouse::Row;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use uuid::Uuid;

use super::Reader;
use super::decode::{Money, day, micros, optional_micros, optional_money};
use crate::error::StoreError;

/// Keys in one question: a parameter may have 128 KiB (ClickHouse's `http_max_field_value_size`).
const AT_ONCE: usize = 2_000;

/// A conversion in the revision that counts.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct Held {
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversion_key: Uuid,
    #[serde(deserialize_with = "day")]
    pub key_day: Date,
    #[serde(with = "clickhouse::serde::uuid")]
    pub postback_id: Uuid,
    pub status: String,
    pub transaction_id: String,
    pub order_id: String,
    pub click_id: String,
    pub advertiser_id: String,
    pub publisher_id: String,
    pub offer_id: String,
    pub sku: String,
    pub product_name: String,
    #[serde(deserialize_with = "optional_money")]
    pub quantity: Option<Money>,
    #[serde(deserialize_with = "optional_money")]
    pub sale_amount: Option<Money>,
    #[serde(deserialize_with = "optional_money")]
    pub commission: Option<Money>,
    pub currency: String,
    pub commission_currency: String,
    #[serde(deserialize_with = "optional_micros")]
    pub occurred_at: Option<Timestamp>,
    #[serde(deserialize_with = "optional_micros")]
    pub processed_at: Option<Timestamp>,
    #[serde(deserialize_with = "micros")]
    pub received_at: Timestamp,
    pub revision: u128,
}

impl Reader {
    /// What is held of an account's conversions with these days and keys; what is not held is left out.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn held(
        &self,
        account: &str,
        keys: &[(Date, Uuid)],
    ) -> Result<Vec<Held>, StoreError> {
        let sql = "SELECT conversion_key, key_day, postback_id, toString(status) AS status, transaction_id, order_id, \
             click_id, advertiser_id, publisher_id, offer_id, sku, product_name, quantity, sale_amount, commission, \
             toString(currency) AS currency, toString(commission_currency) AS commission_currency, occurred_at, \
             processed_at, received_at, revision FROM {conversions} FINAL \
             WHERE account = {account:String} AND (key_day, conversion_key) IN {keys:Array(Tuple(Date, UUID))}";
        let mut held = Vec::new();
        for piece in keys.chunks(AT_ONCE) {
            let keys: Vec<(String, String)> = piece
                .iter()
                .map(|(day, key)| (day.to_string(), key.to_string()))
                .collect();
            let query = self.query(sql).param("account", account);
            let query = query.param("keys", keys);
            let found = self.all::<Held>("look for conversions by their keys", query);
            held.extend(found.await?);
        }
        Ok(held)
    }

    /// Which of these postbacks are there, of those that were fetched since `since`.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn fetched_before(
        &self,
        ids: &[Uuid],
        since: Timestamp,
    ) -> Result<Vec<Uuid>, StoreError> {
        #[derive(Row, Deserialize)]
        struct Found {
            #[serde(with = "clickhouse::serde::uuid")]
            id: Uuid,
        }
        let sql = "SELECT id FROM {postbacks} WHERE via = 'backfill' \
             AND received_at >= fromUnixTimestamp64Micro({since:Int64}) AND id IN {ids:Array(UUID)}";
        let mut before = Vec::new();
        for piece in ids.chunks(AT_ONCE) {
            let ids: Vec<String> = piece.iter().map(Uuid::to_string).collect();
            let query = (self.query(sql))
                .param("ids", ids)
                .param("since", since.as_microsecond());
            let found: Vec<Found> = self.all("look for postbacks fetched before", query).await?;
            before.extend(found.into_iter().map(|found| found.id));
        }
        Ok(before)
    }
}
