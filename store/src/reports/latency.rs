//! How long a sale takes to be received, and what was received to be loaded.
//!
//! - Counted are the transactions of the summary and signals, in the revision that counts; reversals
//!   are not, which come weeks after their sale.
//! - Revisions that were fetched are left out: their time is that of the run. A conversion does not say
//!   how it came, and a fetched postback has the time at which its run began, to the microsecond: so
//!   times are left out, of which there are as many as runs, and no ids, of which there are as many as
//!   what was healed. What was pushed in the same microsecond goes with them; what was fetched counts
//!   once its postback is dropped with its month (`clickhouse.keep_days`).
//! - *occurred → received*: of those with a date of sale. A revision counts with its own arrival.
//! - *processed → received*: of those of which the network says when it processed them.
//! - *received → loaded*: of the postbacks in parts that ClickHouse has not merged yet, which are the
//!   newest: from `received_at` to when it stored the part, to the second. A row does not say when it
//!   was loaded, and a merged part no more. Left out is what was received before the generation was
//!   made: a replay loads it long after it came; and what was fetched or imported.

use clickhouse::Row;
use serde::Deserialize;

use super::Reader;
use super::delay::{Delay, LEVELS, Quantiles};
use super::question::{Question, Table};
use super::unattributed::IS_TRANSACTION;
use crate::error::StoreError;
use crate::tables::GENERATIONS;

/// Of conversions that were pushed. What is fetched was processed before; clocks may differ by some days.
const WAS_PUSHED: &str = "received_at NOT IN (SELECT DISTINCT received_at FROM {postbacks} \
     WHERE via = 'backfill' AND received_at >= fromUnixTimestamp64Micro({from:Int64}) - INTERVAL 3 DAY)";

#[derive(Row, Deserialize)]
struct Measured {
    dimension: Vec<String>,
    rows: u64,
    occurred: u64,
    since_occurred: Quantiles,
    processed: u64,
    since_processed: Quantiles,
}

#[derive(Row, Deserialize)]
struct Stored {
    rows: u64,
    delays: Quantiles,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    /// What it is of: a text for each of the question's names.
    pub dimension: Vec<String>,
    /// Transactions and signals.
    pub rows: u64,
    /// From the sale to its postback; `None` where none has a date of sale.
    pub since_occurred: Option<Delay>,
    /// From the network's processing to the postback; `None` where none has its time.
    pub since_processed: Option<Delay>,
}

/// From the request to the table, of what was loaded last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loading {
    /// Postbacks.
    pub rows: u64,
    /// `None` without any.
    pub delay: Option<Delay>,
}

impl Reader {
    /// Calculates it, by dimension.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn latency(&self, asked: &Question) -> Result<Vec<Latency>, StoreError> {
        let since = |date: &str| {
            format!(
                "quantilesExactIf({LEVELS})(toUnixTimestamp64Micro(received_at) \
                 - toUnixTimestamp64Micro(assumeNotNull({date})), isNotNull({date}))"
            )
        };
        let sql = format!(
            "WITH {{keys}} SELECT {{dimension}} AS dimension, count() AS rows, \
               countIf(isNotNull(occurred_at)) AS occurred, {} AS since_occurred, \
               countIf(isNotNull(processed_at)) AS processed, {} AS since_processed \
             FROM {{conversions}} FINAL WHERE {{scope}} AND (kind = 'signal' OR {IS_TRANSACTION}) AND status != 'reversed' \
               AND {WAS_PUSHED} \
             GROUP BY {{by}} ORDER BY dimension",
            since("occurred_at"),
            since("processed_at")
        );
        let query = self.asked(&sql, Table::Conversions, asked);
        let rows: Vec<Measured> = self.all("measure the latency", query).await?;
        let rows = rows.into_iter().map(|row| Latency {
            dimension: asked.labels(&row.dimension),
            rows: row.rows,
            since_occurred: row.since_occurred.of(row.occurred),
            since_processed: row.since_processed.of(row.processed),
        });
        Ok(rows.collect())
    }

    /// How long what was loaded last took from the request to the table.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn loading(&self) -> Result<Loading, StoreError> {
        let sql = format!(
            "SELECT count() AS rows, quantilesExactIf({LEVELS})(toUnixTimestamp64Micro(toDateTime64(stored, 6)) \
               - toUnixTimestamp64Micro(received_at), true) AS delays \
             FROM (SELECT received_at, _part AS part FROM {{postbacks}} \
               WHERE via = 'http' AND _part IN (SELECT name FROM system.parts WHERE active AND level = 0 \
                 AND database = currentDatabase() AND table = {{table:String}}) \
               AND received_at >= (SELECT min(made_at) FROM {GENERATIONS} WHERE number = {{number:UInt32}})) AS fresh \
             INNER JOIN (SELECT name AS part, modification_time AS stored FROM system.parts \
               WHERE database = currentDatabase() AND table = {{table:String}}) AS parts USING (part)"
        );
        let query = self
            .query(&sql)
            .param("table", self.generation().postbacks())
            .param("number", self.generation().number());
        let stored: Stored = self.one("measure the loading", query).await?;
        Ok(Loading {
            rows: stored.rows,
            delay: stored.delays.of(stored.rows),
        })
    }
}
