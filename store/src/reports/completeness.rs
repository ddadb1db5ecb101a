//! How complete a report can be: what has been loaded.

use clickhouse::Row;
use jiff::Timestamp;
use serde::Deserialize;

use super::Reader;
use super::decode::micros;
use crate::error::StoreError;
use crate::tables::Generation;

/// What the tables hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completeness {
    /// The generation that was asked.
    pub generation: Generation,
    /// When the newest loaded postback was received; `None` where nothing is loaded. Partitions of
    /// the topic are read independently: older ones can still be on their way.
    pub loaded_through: Option<Timestamp>,
    /// Postbacks received in the range that could not become conversions.
    pub rejected: u64,
}

const ATTEMPT: &str = "read how complete the tables are";

#[derive(Row, Deserialize)]
struct Loaded {
    rows: u64,
    #[serde(deserialize_with = "micros")]
    newest: Timestamp,
}

impl Reader {
    /// What is loaded, and how many postbacks received at `from` ≤ t < `to` were rejected.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn completeness(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Completeness, StoreError> {
        let rejected = "SELECT count() FROM {postbacks} FINAL WHERE outcome = 'rejected' \
             AND received_at >= fromUnixTimestamp64Micro({from:Int64}) \
             AND received_at < fromUnixTimestamp64Micro({to:Int64})";
        let query = self
            .query(rejected)
            .param("from", from.as_microsecond())
            .param("to", to.as_microsecond());
        Ok(Completeness {
            generation: self.generation(),
            loaded_through: self.loaded_through().await?,
            rejected: self.one(ATTEMPT, query).await?,
        })
    }

    /// When the newest loaded postback was received; `None` where nothing is loaded.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn loaded_through(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT count() AS rows, max(received_at) AS newest FROM {postbacks}";
        let loaded: Loaded = self.one(ATTEMPT, self.query(sql)).await?;
        Ok((loaded.rows > 0).then_some(loaded.newest))
    }
}
