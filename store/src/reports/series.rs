//! Counts by source and time, for those who watch them.
//!
//! Received postbacks are counted as they stand, without `FINAL`: what a crash has loaded twice
//! counts twice until the next merge, which no watcher minds, and 70 days are counted in a moment.

use clickhouse::Row;
use clickhouse::query::Query;
use jiff::Timestamp;
use serde::Deserialize;

use super::Reader;
use crate::error::StoreError;
use crate::tables::REFUSALS;

/// Which time: `from` inclusive, `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// The moment behind the last.
    pub to: Timestamp,
    /// Width of a bin in seconds; bins begin at multiples of it since 1970.
    pub width: u32,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Received {
    /// Its name.
    pub source: String,
    /// Number of the bin since 1970.
    pub bin: u32,
    /// Postbacks by HTTP, rejected ones included.
    pub postbacks: u32,
    /// Of them rejected.
    pub rejected: u32,
}

/// What the transactions are like.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Transactions {
    /// Its name.
    pub source: String,
    /// Number of the bin since 1970, by the time of receipt.
    pub bin: u32,
    /// ISO 4217 code; empty where unknown.
    pub currency: String,
    /// Conversions of kind `transaction`.
    pub transactions: u32,
    /// Of them without a click id.
    pub unattributed: u32,
    /// Of them with an amount of zero, or with none.
    pub zero: u32,
    /// Of them with an amount that is not zero and has no minor units.
    pub whole: u32,
}

/// What ingest refused.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Refused {
    /// Its name.
    pub source: String,
    /// Number of the bin since 1970.
    pub bin: u32,
    /// Requests.
    pub refusals: u32,
}

/// The minutes in which something came.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Minutes {
    /// Its name.
    pub source: String,
    /// The first postback of each minute and the last one, in µs since 1970, by time in order. Ten
    /// weeks have a hundred thousand: as small as may be.
    pub moments: Vec<(i64, i64)>,
}

const ATTEMPT: &str = "count what came in";

const WITHIN: &str = "received_at >= fromUnixTimestamp64Micro({from:Int64}) \
     AND received_at < fromUnixTimestamp64Micro({to:Int64})";

const BIN: &str = "toUInt32(intDiv(toUnixTimestamp(received_at), {width:UInt32})) AS bin";

impl Reader {
    /// Postbacks by source and bin, by source and time in order; bins without any are left out.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn received_series(&self, span: &Span) -> Result<Vec<Received>, StoreError> {
        let sql = format!(
            "SELECT toString(source) AS source, {BIN}, toUInt32(count()) AS postbacks, \
             toUInt32(countIf(outcome = 'rejected')) AS rejected \
             FROM {{postbacks}} WHERE {WITHIN} AND via = 'http' AND source != '' \
             GROUP BY source, bin ORDER BY source, bin"
        );
        self.all(ATTEMPT, self.of_span(&sql, span)).await
    }

    /// Transactions by source, bin and currency, in order.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn transaction_series(&self, span: &Span) -> Result<Vec<Transactions>, StoreError> {
        let sql = format!(
            "SELECT toString(source) AS source, {BIN}, toString(currency) AS currency, \
             toUInt32(count()) AS transactions, toUInt32(countIf(click_id = '')) AS unattributed, \
             toUInt32(countIf(ifNull(sale_amount, 0) = 0)) AS zero, \
             toUInt32(countIf(ifNull(sale_amount, 0) != 0 AND sale_amount = truncate(sale_amount))) AS whole \
             FROM {{conversions}} FINAL WHERE {WITHIN} AND kind = 'transaction' \
             GROUP BY source, bin, currency ORDER BY source, bin, currency"
        );
        self.all(ATTEMPT, self.of_span(&sql, span)).await
    }

    /// Refused requests by source and bin, in order; those that name no source are left out.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn refusal_series(&self, span: &Span) -> Result<Vec<Refused>, StoreError> {
        let (within, bin) = (
            WITHIN.replace("received_at", "refused_at"),
            BIN.replace("received_at", "refused_at"),
        );
        let sql = format!(
            "SELECT toString(source) AS source, {bin}, toUInt32(sum(1 + suppressed)) AS refusals \
             FROM {REFUSALS} WHERE {within} AND source != '' \
             GROUP BY source, bin ORDER BY source, bin"
        );
        self.all(ATTEMPT, self.of_span(&sql, span)).await
    }

    /// Minutes with postbacks, by source in order.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn minutes(&self, span: &Span) -> Result<Vec<Minutes>, StoreError> {
        let sql = format!(
            "SELECT toString(name) AS source, arraySort(groupArray((first, last))) AS moments FROM \
             (SELECT source AS name, toUnixTimestamp64Micro(min(received_at)) AS first, \
             toUnixTimestamp64Micro(max(received_at)) AS last \
             FROM {{postbacks}} WHERE {WITHIN} AND via = 'http' AND source != '' \
             GROUP BY name, intDiv(toUnixTimestamp(received_at), 60)) \
             GROUP BY name ORDER BY source"
        );
        self.all(ATTEMPT, self.of_span(&sql, span)).await
    }

    fn of_span(&self, sql: &str, span: &Span) -> Query {
        let query = self
            .query(sql)
            .param("from", span.from.as_microsecond())
            .param("to", span.to.as_microsecond());
        if sql.contains("{width:") {
            query.param("width", span.width)
        } else {
            query
        }
    }
}
