//! Orders, money and signals, per currency and one dimension.
//!
//! - *transactions*: conversions of kind `transaction`, not `rejected` by the network, with neither
//!   amount negative; a missing amount is not negative.
//! - *orders*: distinct (account, advertiser, order id) among the transactions that have an order id.
//! - *reversals*: conversions of kind `transaction`, not `rejected`, with a negative amount or of
//!   status `reversed`. A transaction that was revised to `reversed` is both.
//! - Per money column, over kind `transaction` not `rejected`: *gross* = the sum of the amounts that
//!   are not negative; *reversed* = the negative amounts, and the negated others of status
//!   `reversed`; *net* = gross + reversed.
//! - *unattributed*: transactions without a click id.
//!
//! A sale stands under its currency, a commission under its commission's; counts go with the sale.

use clickhouse::Row;
use clickhouse::query::Query;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Money, Reader};
use crate::error::StoreError;

/// Which of a conversion's dates places it in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateBy {
    /// When the customer bought.
    Occurred,
    /// When the network processed it.
    Processed,
    /// When its newest revision was received.
    Received,
}

impl DateBy {
    /// As it stands on command lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Occurred => "occurred",
            Self::Processed => "processed",
            Self::Received => "received",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Occurred => "occurred_at",
            Self::Processed => "processed_at",
            Self::Received => "received_at",
        }
    }
}

/// What the rows stand for, beside the currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The day of the chosen date in the chosen zone.
    Day,
    /// The source.
    Source,
    /// The network and its id of the advertiser.
    Advertiser,
    /// Nothing: one row per currency.
    Currency,
}

impl Dimension {
    /// As it stands on command lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Source => "source",
            Self::Advertiser => "advertiser",
            Self::Currency => "currency",
        }
    }

    /// An array of texts, which [`Figures::dimension`] is.
    fn expression(self, date: DateBy) -> String {
        match self {
            Self::Day => format!(
                "[toString(toDate(assumeNotNull({}), {{zone:String}}))]",
                date.column()
            ),
            Self::Source => "[toString(source)]".to_owned(),
            Self::Advertiser => "[toString(network), advertiser_id]".to_owned(),
            // Empty for every row, but no constant: the server takes constants out of GROUP BY.
            Self::Currency => "arraySlice([toString(source)], 2)".to_owned(),
        }
    }
}

/// Which conversions, and how to group them.
#[derive(Debug, Clone)]
pub struct SummaryQuery {
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    /// The date that these two are about.
    pub date_by: DateBy,
    /// Where a day begins and ends.
    pub zone: TimeZone,
    /// One row for each of its values, and each currency.
    pub by: Dimension,
    /// Only these.
    pub only: Filter,
}

/// Conditions; `None` is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The source's name.
    pub source: Option<String>,
    /// The network's name.
    pub network: Option<String>,
    /// The network's id of the advertiser.
    pub advertiser: Option<String>,
}

impl Filter {
    fn conditions(&self) -> Vec<(&'static str, &'static str, &str)> {
        let all = [
            ("source", "source = {source:String}", &self.source),
            ("network", "network = {network:String}", &self.network),
            (
                "advertiser",
                "advertiser_id = {advertiser:String}",
                &self.advertiser,
            ),
        ];
        let given = all.into_iter();
        given
            .filter_map(|(name, sql, value)| Some((name, sql, value.as_deref()?)))
            .collect()
    }

    fn sql(&self) -> String {
        let conditions = self.conditions().into_iter().map(|(_, sql, _)| sql);
        std::iter::once("true")
            .chain(conditions)
            .collect::<Vec<_>>()
            .join(" AND ")
    }

    fn bind(&self, query: Query) -> Query {
        let conditions = self.conditions().into_iter();
        conditions.fold(query, |query, (name, _, value)| query.param(name, value))
    }
}

/// Figures of one value of the dimension (or of all) in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Row, Deserialize)]
pub struct Figures {
    is_total: u8,
    /// The dimension's value: one text, two for an advertiser (network, id), none for `currency`
    /// and in totals.
    pub dimension: Vec<String>,
    /// ISO 4217; empty where unknown.
    #[serde(rename = "money_currency")]
    pub currency: String,
    /// See the head of this page.
    pub orders: u64,
    /// See the head of this page.
    pub transactions: u64,
    /// See the head of this page.
    pub reversals: u64,
    /// Not negative.
    pub gross_sales: Money,
    /// Not positive.
    pub reversed_sales: Money,
    /// Not negative.
    pub gross_commission: Money,
    /// Not positive.
    pub reversed_commission: Money,
    /// Conversions of kind `signal`.
    pub signals: u64,
    /// Transactions without a click id.
    pub unattributed: u64,
    /// Conversions of kind `unknown`: in no other figure.
    pub unknown: u64,
    /// Conversions that the network rejected: in no other figure.
    pub rejected: u64,
}

impl Figures {
    /// Gross + reversed.
    #[must_use]
    pub fn net_sales(&self) -> Money {
        self.gross_sales + self.reversed_sales
    }

    /// Gross + reversed.
    #[must_use]
    pub fn net_commission(&self) -> Money {
        self.gross_commission + self.reversed_commission
    }

    /// Share of the transactions without a click id, in percent; `None` without a transaction.
    #[must_use]
    pub fn unattributed_percent(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
        let share = 100.0 * self.unattributed as f64 / self.transactions as f64;
        (self.transactions > 0).then_some(share)
    }

    fn has_figures(&self) -> bool {
        let counts = self.transactions + self.reversals + self.signals;
        counts > 0 || self.gross_commission != Money(0) || self.reversed_commission != Money(0)
    }
}

/// The whole report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// By dimension, then currency.
    pub rows: Vec<Figures>,
    /// One per currency. Orders are distinct over all rows, so they can be fewer than their sum.
    pub totals: Vec<Figures>,
    /// Conversions in the range of kind `unknown`: in no figure.
    pub unknown: u64,
    /// Conversions in the range that the network rejected: in no figure.
    pub rejected: u64,
    /// Transactions and reversals in the range whose currency is unknown: their money is in no sum.
    pub without_currency: u64,
    /// Conversions without the chosen date, whenever they came: outside of every range.
    pub undated: u64,
}

impl Reader {
    /// Calculates the summary.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn summary(&self, asked: &SummaryQuery) -> Result<Summary, StoreError> {
        let figures = self.figures(asked).await?;
        let (totals, rows): (Vec<_>, Vec<_>) = figures
            .into_iter()
            .partition(|figures| figures.is_total == 1);
        Ok(Summary {
            unknown: totals.iter().map(|total| total.unknown).sum(),
            rejected: totals.iter().map(|total| total.rejected).sum(),
            without_currency: (totals.iter().filter(|total| total.currency.is_empty()))
                .map(|total| total.transactions + total.reversals)
                .sum(),
            undated: self.undated(asked).await?,
            rows: rows.into_iter().filter(Figures::has_figures).collect(),
            totals: totals.into_iter().filter(Figures::has_figures).collect(),
        })
    }

    async fn figures(&self, asked: &SummaryQuery) -> Result<Vec<Figures>, StoreError> {
        let sql = include_str!("summary.sql")
            .replace("{dimension}", &asked.by.expression(asked.date_by))
            .replace("{date}", asked.date_by.column())
            .replace("{filters}", &asked.only.sql());
        let zone = asked.zone.iana_name().unwrap_or("UTC");
        let query = self
            .query(&sql)
            // What is left after the choice of accounts and days is read whole: looking into the
            // indexes, and reading again what they may have hidden from FINAL, costs more.
            .with_setting("use_skip_indexes_if_final", "0")
            .param("from", asked.from.as_microsecond())
            .param("to", asked.to.as_microsecond())
            .param("zone", zone);
        self.all("calculate the summary", asked.only.bind(query))
            .await
    }

    /// First the keys without FINAL, where the index of the date serves, then FINAL by key.
    async fn undated(&self, asked: &SummaryQuery) -> Result<u64, StoreError> {
        if asked.date_by == DateBy::Received {
            return Ok(0);
        }
        let sql = "SELECT count() FROM {conversions} FINAL WHERE {date} IS NULL AND {filters} \
             AND (account, key_day, conversion_key) IN \
             (SELECT account, key_day, conversion_key FROM {conversions} WHERE {date} IS NULL)"
            .replace("{date}", asked.date_by.column())
            .replace("{filters}", &asked.only.sql());
        let query = asked.only.bind(self.query(&sql));
        self.one("count conversions without a date", query).await
    }
}
