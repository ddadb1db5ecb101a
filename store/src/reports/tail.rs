//! What came last.

use clickhouse::Row;
use jiff::{Span, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::Reader;
use super::decode::micros;
use super::question::Filter;
use crate::error::StoreError;
use crate::tables::REFUSALS;

/// A received postback.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct Arrived {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    #[serde(deserialize_with = "micros")]
    pub received_at: Timestamp,
    pub source: String,
    pub network: String,
    pub via: String,
    pub outcome: String,
    pub reasons: Vec<String>,
    pub raw: String,
}

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[expect(missing_docs, reason = "the columns' comments say it")]
pub struct RefusedRequest {
    #[serde(with = "clickhouse::serde::uuid")]
    pub id: Uuid,
    #[serde(deserialize_with = "micros")]
    pub refused_at: Timestamp,
    pub reason: String,
    pub status: u16,
    pub source: String,
    pub method: String,
    pub path: String,
    pub query: String,
    pub remote: String,
    pub suppressed: u64,
}

/// How far back is looked, one after the other, before everything is.
const WINDOWS_HOURS: [i64; 3] = [1, 24, 30 * 24];

impl Reader {
    /// The newest postbacks by a filter of postbacks, oldest of them first.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn newest(&self, only: &Filter, most: u32) -> Result<Vec<Arrived>, StoreError> {
        let Some(through) = self.loaded_through().await? else {
            return Ok(Vec::new());
        };
        for hours in WINDOWS_HOURS {
            let since = through.checked_sub(Span::new().hours(hours));
            let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
            let found = self.arrived_since(only, since, most).await?;
            if found.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
                return Ok(found);
            }
        }
        self.arrived_since(only, Timestamp::UNIX_EPOCH, most).await
    }

    /// The newest of those that were received at or after a moment, oldest of them first.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn arrived_since(
        &self,
        only: &Filter,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<Arrived>, StoreError> {
        let sql = format!(
            "SELECT id, received_at, toString(source) AS source, toString(network) AS network, \
               toString(via) AS via, toString(outcome) AS outcome, \
               arrayMap(reason -> toString(reason), reasons) AS reasons, raw \
             FROM {{postbacks}} FINAL \
             WHERE received_at >= fromUnixTimestamp64Micro({{since:Int64}}) AND {} \
             ORDER BY received_at DESC, id DESC LIMIT {{most:UInt32}}",
            only.sql()
        );
        let query = self
            .query(&sql)
            .param("since", since.as_microsecond())
            .param("most", most);
        let mut found: Vec<Arrived> = self.all("read what came last", only.bind(query)).await?;
        found.reverse();
        Ok(found)
    }

    /// The newest refused requests at or after a moment, oldest of them first; of one source alone.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn refused_since(
        &self,
        source: Option<&str>,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<RefusedRequest>, StoreError> {
        let sql = format!(
            "SELECT id, refused_at, toString(reason) AS reason, status, toString(source) AS source, \
               method, path, query, remote, suppressed FROM {REFUSALS} \
             WHERE refused_at >= fromUnixTimestamp64Micro({{since:Int64}}) \
               AND ({{any:Bool}} OR source = {{source:String}}) \
             ORDER BY refused_at DESC, id DESC LIMIT {{most:UInt32}}"
        );
        let query = self
            .query(&sql)
            .param("since", since.as_microsecond())
            .param("any", source.is_none())
            .param("source", source.unwrap_or_default())
            .param("most", most);
        let mut found: Vec<RefusedRequest> = self.all("read what was refused last", query).await?;
        found.reverse();
        Ok(found)
    }
}
