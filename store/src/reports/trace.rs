//! One conversion or postback, with everything that belongs to it.
//!
//! A search by one of the network's ids reads the keys first, without FINAL, where the bloom filters
//! serve, and then the rows of these keys with FINAL: many times faster than FINAL over everything.

use std::collections::BTreeMap;

use clickhouse::query::Query;
use clickhouse::{Row, RowOwned, RowRead};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use uuid::Uuid;

use super::decode::{day, micros, optional_micros, optional_money};
use super::{Money, Reader};
use crate::error::StoreError;

/// Most conversions that one search returns.
pub const MOST_CONVERSIONS: usize = 100;

/// Which id a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The advertiser's order.
    Order,
    /// The publisher's own id.
    Click,
    /// The network's id of a transaction.
    Transaction,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Order, Self::Click, Self::Transaction];

    /// The column.
    #[must_use]
    pub const fn column(self) -> &'static str {
        match self {
            Self::Order => "order_id",
            Self::Click => "click_id",
            Self::Transaction => "transaction_id",
        }
    }
}

/// A received postback: a row of `postbacks`.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct Postback {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    #[serde(deserialize_with = "micros")]
    pub received_at: Timestamp,
    pub source: String,
    pub network: String,
    pub account: String,
    pub via: String,
    pub outcome: String,
    pub reasons: Vec<String>,
    pub flags: Vec<String>,
    pub detail: String,
    pub raw: String,
    pub remote: String,
    pub kafka_topic: String,
    pub kafka_partition: u32,
    pub kafka_offset: u64,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub conversion_key: Option<Uuid>,
}

impl Postback {
    /// Whether a conversion was made of it, in whatever revision. One that brought several orders at
    /// once has no key: what counts of it is known by its id.
    #[must_use]
    pub fn became(&self, conversion: &Conversion) -> bool {
        match self.conversion_key {
            Some(key) => (&*self.account, key) == conversion.key(),
            None => self.id == conversion.postback_id,
        }
    }
}

/// A conversion in the revision that counts: a row of `conversions`.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct Conversion {
    pub source: String,
    pub network: String,
    pub account: String,
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversion_key: Uuid,
    #[serde(deserialize_with = "day")]
    pub key_day: Date,
    #[serde(with = "clickhouse::serde::uuid")]
    pub postback_id: Uuid,
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
    pub flags: Vec<String>,
    pub extra: Vec<(String, Vec<String>)>,
}

impl Conversion {
    /// Its key in the whole generation.
    #[must_use]
    pub fn key(&self) -> (&str, Uuid) {
        (&self.account, self.conversion_key)
    }
}

/// The rows of these keys, in the revision that counts.
const OF_KEYS: &str = "SELECT ?fields FROM {conversions} FINAL WHERE (account, key_day, conversion_key) IN ({keys}) \
     ORDER BY occurred_at, received_at, conversion_key";

impl Reader {
    /// The postback of that id.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn postback(&self, id: Uuid) -> Result<Option<Postback>, StoreError> {
        // The key begins with the day received, and ingest makes the id within that day or at its
        // edge: three days instead of all.
        if let Some(day) = day_of(id) {
            let sql = "SELECT ?fields FROM {postbacks} FINAL WHERE id = {id:UUID} \
                 AND toDate(received_at) BETWEEN toDate({day:Int32}) - 1 AND toDate({day:Int32}) + 1";
            let query = self.rows::<Postback>(sql).param("day", day);
            let found = self.first("find the postback", query, id).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let sql = "SELECT ?fields FROM {postbacks} FINAL WHERE id = {id:UUID}";
        self.first("find the postback", self.rows::<Postback>(sql), id)
            .await
    }

    async fn first(
        &self,
        attempt: &str,
        query: Query,
        id: Uuid,
    ) -> Result<Option<Postback>, StoreError> {
        let query = query.param("id", id.to_string());
        let found: Vec<Postback> = self.all(attempt, query).await?;
        Ok(found.into_iter().next())
    }

    /// Conversions any of whose revisions has `value` in that field; at most [`MOST_CONVERSIONS`].
    ///
    /// # Errors
    /// As the server answers.
    pub async fn conversions_by(
        &self,
        field: Field,
        value: &str,
    ) -> Result<Vec<Conversion>, StoreError> {
        let keys = format!(
            "SELECT DISTINCT account, key_day, conversion_key FROM {{conversions}} \
             WHERE {} = {{value:String}} LIMIT {MOST_CONVERSIONS}",
            field.column()
        );
        let query = self
            .rows::<Conversion>(&OF_KEYS.replace("{keys}", &keys))
            .param("value", value);
        self.all("find conversions", query).await
    }

    /// What a postback became, in the revision that counts: mostly one conversion. Of one that
    /// brought several orders at once those that no later postback has changed; at most
    /// [`MOST_CONVERSIONS`].
    ///
    /// # Errors
    /// As the server answers.
    pub async fn conversions_of(&self, postback: &Postback) -> Result<Vec<Conversion>, StoreError> {
        let (rows, limit) = match postback.conversion_key {
            Some(_) => ("conversion_key = toUUID({value:String})", 1),
            None if postback.outcome == "accepted" => {
                ("postback_id = toUUID({value:String})", MOST_CONVERSIONS)
            }
            None => return Ok(Vec::new()),
        };
        let keys = format!(
            "SELECT DISTINCT account, key_day, conversion_key FROM {{conversions}} \
             WHERE account = {{account:String}} AND {rows} LIMIT {limit}"
        );
        let query = self
            .rows::<Conversion>(&OF_KEYS.replace("{keys}", &keys))
            .param("account", &postback.account)
            .param(
                "value",
                postback.conversion_key.unwrap_or(postback.id).to_string(),
            );
        let found: Vec<Conversion> = self.all("find the postback's conversions", query).await?;
        let is_its = |conversion: &Conversion| postback.became(conversion);
        Ok(found.into_iter().filter(is_its).collect())
    }

    /// All conversions of the orders that these conversions belong to, these included: the lines of
    /// an order, its signals and its reversals. At most [`MOST_CONVERSIONS`].
    ///
    /// # Errors
    /// As the server answers.
    pub async fn same_orders(
        &self,
        conversions: &[&Conversion],
    ) -> Result<Vec<Conversion>, StoreError> {
        let with_order = conversions
            .iter()
            .filter(|found| !found.order_id.is_empty());
        let orders: BTreeMap<_, _> = with_order
            .map(|found| {
                (
                    (&*found.account, &*found.advertiser_id, &*found.order_id),
                    (),
                )
            })
            .collect();
        let (mut accounts, mut advertisers, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for (account, advertiser, order) in orders.into_keys() {
            accounts.push(account);
            advertisers.push(advertiser);
            ids.push(order);
        }
        // The order ids alone first: they are what the bloom filter knows.
        let keys = format!(
            "SELECT DISTINCT account, key_day, conversion_key FROM {{conversions}} \
             WHERE order_id IN {{orders:Array(String)}} AND (account, advertiser_id, order_id) IN \
             (SELECT arrayJoin(arrayZip({{accounts:Array(String)}}, {{advertisers:Array(String)}}, {{orders:Array(String)}}))) \
             LIMIT {MOST_CONVERSIONS}"
        );
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let query = self
            .rows::<Conversion>(&OF_KEYS.replace("{keys}", &keys))
            .param("accounts", accounts)
            .param("advertisers", advertisers)
            .param("orders", ids);
        self.all("find the orders' other conversions", query).await
    }

    /// Every postback of these conversions, by conversion key: revisions and repeats. Of those that
    /// brought several orders at once, which have no key, the ones that count. In the order received.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn postbacks_of(
        &self,
        conversions: &[Conversion],
    ) -> Result<Vec<Postback>, StoreError> {
        if conversions.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = conversions
            .iter()
            .map(|found| found.conversion_key.to_string())
            .collect();
        let ids: Vec<String> = conversions
            .iter()
            .map(|found| found.postback_id.to_string())
            .collect();
        let days: Vec<i64> = conversions
            .iter()
            .map(|found| found.received_at.as_second().div_euclid(86_400))
            .collect();
        // First their places in the table, without FINAL, where the bloom filter serves.
        let sql = "SELECT ?fields FROM {postbacks} FINAL WHERE (toDate(received_at), id) IN \
             (SELECT toDate(received_at), id FROM {postbacks} WHERE conversion_key IN {keys:Array(UUID)} \
             UNION ALL SELECT toDate(place.1), place.2 FROM \
             (SELECT arrayJoin(arrayZip({days:Array(Int32)}, {ids:Array(UUID)})) AS place)) \
             ORDER BY received_at, id";
        let query = self.rows::<Postback>(sql);
        let query = query
            .param("keys", keys)
            .param("ids", ids)
            .param("days", days);
        let found: Vec<Postback> = self.all("find the conversions' postbacks", query).await?;
        let is_ours = |postback: &Postback| {
            let became = |conversion| postback.became(conversion);
            conversions.iter().any(became)
        };
        Ok(found.into_iter().filter(is_ours).collect())
    }

    /// A query whose `?fields` are the columns of `T`.
    fn rows<T: RowOwned + RowRead>(&self, sql: &str) -> Query {
        self.query(&sql.replace("?fields", &T::COLUMN_NAMES.join(", ")))
    }
}

/// The day, counted from 1970, on which an id was made; `None` where it does not say.
fn day_of(id: Uuid) -> Option<i32> {
    let made = id.get_timestamp().filter(|_| id.get_version_num() == 7)?;
    i32::try_from(made.to_unix().0 / 86_400).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_version_7_says_its_day() {
        // 2026-09-01 is day 20,697: 56 years, 14 leap days and 243 days.
        let made = "01a05a43-fc00-7f54-8d8e-0023af5570ee".parse().unwrap();
        assert_eq!(day_of(made), Some(56 * 365 + 14 + 243));
        let hashed = "01a05a43-fc00-4f54-8d8e-0023af5570ee".parse().unwrap();
        assert_eq!(day_of(hashed), None);
    }
}
