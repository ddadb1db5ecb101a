//! Records with several orders, such as an array that a shop sends at once: their rows name no key, so
//! what their conversions are called takes the rules to say.

use std::collections::HashSet;

use clickhouse::Row;
use clickhouse::query::RowCursor;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use uuid::Uuid;

use super::rows::QUERY_BYTES;
use super::{Keys, Scope, Tables, WITHIN};
use crate::connection::run_within;
use crate::error::StoreError;
use crate::reports::micros;

/// An accepted record with several orders, of which no revision is there.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Several {
    /// When it was received.
    #[serde(deserialize_with = "micros")]
    pub received_at: Timestamp,
    /// As it stands in the column `raw`.
    pub raw: String,
}

/// They come as the server finds them.
pub struct WithoutOwn(RowCursor<Several>);

#[derive(Row, Deserialize)]
struct Key {
    #[serde(with = "clickhouse::serde::uuid")]
    conversion_key: Uuid,
}

const ATTEMPT: &str = "look for accepted postbacks with several orders and no conversion";

const SEVERAL: &str = "outcome = 'accepted' AND isNull(conversion_key)";

impl WithoutOwn {
    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn next(&mut self) -> Result<Option<Several>, StoreError> {
        run_within(WITHIN, ATTEMPT, self.0.next()).await
    }
}

impl Tables {
    /// Begins to read the accepted records of a share that have several orders, and of which not one
    /// revision is there. Newer ones may have replaced them all: see [`Tables::are_there`].
    ///
    /// # Errors
    /// Where the question cannot be asked.
    pub fn without_own(&self, scope: &Scope, keys: Keys) -> Result<WithoutOwn, StoreError> {
        let share = keys.condition("id");
        let sql = format!(
            "SELECT received_at, raw FROM {{postbacks}} FINAL WHERE {SEVERAL} AND {share} AND {{range}} \
             AND kafka_topic = {{topic:String}} AND kafka_offset < {{end}} AND id NOT IN (\
             SELECT postback_id FROM {{conversions}} WHERE postback_id IN (\
             SELECT id FROM {{postbacks}} WHERE {SEVERAL} AND {share}))"
        );
        let cursor = self.query(&sql, scope).fetch();
        cursor
            .map(WithoutOwn)
            .map_err(|error| StoreError::from_client(ATTEMPT, &error))
    }

    /// Which of these keys of an account, each with its day, have a conversion, from whatever postback.
    /// Some thousands at once.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn are_there(
        &self,
        account: &str,
        keys: &[(Date, Uuid)],
    ) -> Result<HashSet<Uuid>, StoreError> {
        if keys.is_empty() {
            return Ok(HashSet::new());
        }
        let each = keys.iter().map(|(day, key)| format!("('{day}','{key}')"));
        let each: Vec<String> = each.collect();
        let sql = format!(
            "SELECT DISTINCT conversion_key FROM {{conversions}} WHERE account = {{account:String}} \
             AND (key_day, conversion_key) IN ({})",
            each.join(",")
        );
        let query = self.query(&sql, &Scope::default());
        let query = (query.param("account", account))
            .with_setting("max_query_size", QUERY_BYTES)
            .with_setting("max_ast_elements", "1000000");
        let found: Vec<Key> = self.all("look for conversions", query).await?;
        Ok(found.into_iter().map(|key| key.conversion_key).collect())
    }
}
