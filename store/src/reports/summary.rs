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
use serde::Deserialize;

use super::question::{Question, Table};
use super::{Both, Money, Reader};
use crate::error::StoreError;

/// Figures of one row of the question (or of all) in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Row, Deserialize)]
pub struct Figures {
    is_now: u8,
    is_total: u8,
    /// What it is of: a text for each of the question's names, none in totals.
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

impl Summary {
    fn of(figures: Vec<Figures>, asked: &Question, undated: u64) -> Self {
        // In its own summary the range before is no other one.
        let figures = figures.into_iter().map(|of| Figures { is_now: 1, ..of });
        let (totals, mut rows): (Vec<_>, Vec<_>) =
            figures.partition(|figures| figures.is_total == 1);
        for row in &mut rows {
            row.dimension = asked.labels(&row.dimension);
        }
        Self {
            unknown: totals.iter().map(|total| total.unknown).sum(),
            rejected: totals.iter().map(|total| total.rejected).sum(),
            without_currency: (totals.iter().filter(|total| total.currency.is_empty()))
                .map(|total| total.transactions + total.reversals)
                .sum(),
            undated,
            rows: rows.into_iter().filter(Figures::has_figures).collect(),
            totals: totals.into_iter().filter(Figures::has_figures).collect(),
        }
    }
}

impl Reader {
    /// Calculates the summary, and with `before` that of the range before.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn summary(
        &self,
        asked: &Question,
        before: Option<&Question>,
    ) -> Result<Both<Summary>, StoreError> {
        let sql = include_str!("summary.sql");
        let query = self.asked_along(sql, Table::Conversions, asked, before.into());
        let figures: Vec<Figures> = self.all("calculate the summary", query).await?;
        let undated = self.undated(asked).await?;
        let is_now = |figures: &Figures| figures.is_now == 1;
        Ok(Both::of(
            figures,
            asked,
            before,
            is_now,
            |figures, asked| Summary::of(figures, asked, undated),
        ))
    }
}
