//! What became of one source's postbacks of a time, row by row, to be compared with a sender's books.

use clickhouse::Row;
use clickhouse::query::Query;
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::decode::optional_money;
use super::{Money, Reader};
use crate::error::StoreError;

/// Whose postbacks, received when: from `from`, inclusive, to `to`, exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The source.
    pub source: String,
    /// The first moment.
    pub from: Timestamp,
    /// The moment behind the last.
    pub to: Timestamp,
}

/// A postback.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct Received {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    pub outcome: String,
}

/// A postback's raw record, as `postbacks.raw` has it.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct Raw {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    pub raw: String,
}

/// A conversion, in the revision that counts.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct Counted {
    #[serde(with = "clickhouse::serde::uuid")]
    pub postback_id: Uuid,
    pub kind: String,
    pub status: String,
    pub currency: String,
    #[serde(deserialize_with = "optional_money")]
    pub sale_amount: Option<Money>,
    #[serde(deserialize_with = "optional_money")]
    pub commission: Option<Money>,
    pub has_click: bool,
}

const OF_EXTENT: &str = "source = {source:String} AND received_at >= fromUnixTimestamp64Micro({from:Int64}) \
     AND received_at < fromUnixTimestamp64Micro({to:Int64})";

impl Reader {
    /// Whether any postback that was received at `from` ≤ t < `to` was pushed: fetched and imported ones
    /// come while nothing sends, too.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn is_pushed(&self, from: Timestamp, to: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT count() FROM (SELECT 1 FROM {postbacks} WHERE via = 'http' AND source != '' \
             AND received_at >= fromUnixTimestamp64Micro({from:Int64}) \
             AND received_at < fromUnixTimestamp64Micro({to:Int64}) LIMIT 1)";
        let query = (self.query(sql))
            .param("from", from.as_microsecond())
            .param("to", to.as_microsecond());
        let found: u64 = self.one("see whether anything was pushed", query).await?;
        Ok(found > 0)
    }

    /// Every postback of an extent, each once.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn received(&self, extent: &Extent) -> Result<Vec<Received>, StoreError> {
        let sql = format!("SELECT id, outcome FROM {{postbacks}} FINAL WHERE {OF_EXTENT}");
        self.all("read the postbacks", self.within(&sql, extent))
            .await
    }

    /// The raw records of some postbacks of an extent.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn raw_of(&self, extent: &Extent, ids: &[Uuid]) -> Result<Vec<Raw>, StoreError> {
        let sql = format!(
            "SELECT id, raw FROM {{postbacks}} FINAL WHERE {OF_EXTENT} AND id IN {{ids:Array(UUID)}}"
        );
        let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        let query = self.within(&sql, extent).param("ids", ids);
        self.all("read the raw records", query).await
    }

    /// Every conversion whose counting revision was received within an extent.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn counted(&self, extent: &Extent) -> Result<Vec<Counted>, StoreError> {
        let sql = format!(
            "SELECT postback_id, kind, status, currency, sale_amount, commission, \
             click_id != '' AS has_click FROM {{conversions}} FINAL WHERE {OF_EXTENT}"
        );
        self.all("read the conversions", self.within(&sql, extent))
            .await
    }

    fn within(&self, sql: &str, extent: &Extent) -> Query {
        self.query(sql)
            .param("source", extent.source.as_str())
            .param("from", extent.from.as_microsecond())
            .param("to", extent.to.as_microsecond())
    }
}
