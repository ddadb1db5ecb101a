//! How complete a report can be: what has been loaded.

use clickhouse::Row;
use jiff::Timestamp;
use serde::Deserialize;

use super::Reader;
use super::decode::micros;
use super::question::Filter;
use crate::error::StoreError;
use crate::tables::Generation;

/// What the tables hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completeness {
    /// The generation that was asked.
    pub generation: Generation,
    /// When the newest loaded postback was received, as far as it was before now: see
    /// [`Reader::loaded_through`]. Partitions of the topic are read independently: older ones can
    /// still be on their way.
    pub loaded_through: Option<Timestamp>,
    /// Postbacks received in the range that could not become conversions, as far as a filter's
    /// conditions apply to postbacks.
    pub rejected: u64,
    /// Some conditions do not: columns that a postback has only as a conversion.
    pub is_rejected_of_more: bool,
}

const ATTEMPT: &str = "read how complete the tables are";

/// A month of receipt, by the server's clock.
#[derive(Row, Deserialize)]
struct Month {
    month: u32,
    current: u32,
    #[serde(deserialize_with = "micros")]
    newest: Timestamp,
    #[serde(deserialize_with = "micros")]
    now: Timestamp,
}

#[derive(Row, Deserialize)]
struct Newest {
    rows: u64,
    #[serde(deserialize_with = "micros")]
    newest: Timestamp,
}

impl Reader {
    /// What is loaded, and how many postbacks received at `from` ≤ t < `to` were rejected, `only`
    /// those as far as it says something of postbacks.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn completeness(
        &self,
        from: Timestamp,
        to: Timestamp,
        only: &Filter,
    ) -> Result<Completeness, StoreError> {
        let of_postbacks = only.of_postbacks();
        let rejected = format!(
            "SELECT count() FROM {{postbacks}} FINAL WHERE outcome = 'rejected' \
             AND received_at >= fromUnixTimestamp64Micro({{from:Int64}}) \
             AND received_at < fromUnixTimestamp64Micro({{to:Int64}}) AND {}",
            of_postbacks.sql()
        );
        let query = self
            .query(&rejected)
            .param("from", from.as_microsecond())
            .param("to", to.as_microsecond());
        let query = of_postbacks.bind(query);
        Ok(Completeness {
            generation: self.generation(),
            loaded_through: self.loaded_through().await?,
            rejected: self.one(ATTEMPT, query).await?,
            is_rejected_of_more: of_postbacks != *only,
        })
    }

    /// When the newest loaded postback was received; `None` where nothing is loaded.
    ///
    /// What carries a time to come, by the server's clock, does not count: one wrong clock would claim
    /// that all until then is loaded. Where nothing else is loaded, it is now.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn loaded_through(&self) -> Result<Option<Timestamp>, StoreError> {
        // By month, the server knows it of each part and reads no row.
        let sql = "SELECT toYYYYMM(received_at) AS month, toYYYYMM(now64(6, 'UTC')) AS current, \
             max(received_at) AS newest, now64(6, 'UTC') AS now FROM {postbacks} GROUP BY month";
        let months: Vec<Month> = self.all(ATTEMPT, self.query(sql)).await?;
        let Some(now) = months.first().map(|month| month.now) else {
            return Ok(None);
        };
        let past = months.iter().filter(|month| month.newest <= now);
        let mut newest = past.map(|month| month.newest).max();
        let mut divided = months.iter().filter(|month| month.newest > now);
        if divided.any(|month| month.month == month.current) {
            newest = newest.max(self.newest_of_month(now).await?);
        }
        Ok(Some(newest.unwrap_or(now)))
    }

    /// The newest of the month of `now` that is not later.
    async fn newest_of_month(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT count() AS rows, max(received_at) AS newest FROM {postbacks} \
             WHERE received_at >= toStartOfMonth(fromUnixTimestamp64Micro({now:Int64}, 'UTC')) \
             AND received_at <= fromUnixTimestamp64Micro({now:Int64}, 'UTC')";
        let query = self.query(sql).param("now", now.as_microsecond());
        let found: Newest = self.one(ATTEMPT, query).await?;
        Ok((found.rows > 0).then_some(found.newest))
    }
}
