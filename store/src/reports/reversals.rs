//! Sales that were taken back: how many, how much, how late.
//!
//! - *transactions*, *reversals*, *gross* and *reversed*: as in the summary, by the currency of the
//!   sale. A commission in another currency than its sale's is in no sum here.
//! - *rate*: reversals per transactions of the range, in percent. By date of sale, which networks
//!   repeat on a reversal, this is of one and the same sales, and still grows for the latest ones.
//! - *share of money*: reversed per gross sales.
//! - *delay*: of each reversal with a date of sale, from that to when the network processed the
//!   reversal, or to when it was received where the network does not say.

use clickhouse::Row;
use serde::Deserialize;

use super::delay::{Delay, LEVELS, Quantiles};
use super::question::{Question, Table};
use super::{Both, Money, Reader};
use crate::error::StoreError;

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Reversals {
    /// What it is of: a text for each of the question's names, none in totals.
    pub dimension: Vec<String>,
    /// ISO 4217; empty where unknown.
    pub currency: String,
    /// Sales that stand.
    pub transactions: u64,
    /// Sales that were taken back.
    pub reversals: u64,
    /// Not negative.
    pub gross_sales: Money,
    /// Not positive.
    pub reversed_sales: Money,
    /// Not positive.
    pub reversed_commission: Money,
    /// From the sale to its reversal; `None` without a dated reversal.
    pub delay: Option<Delay>,
}

/// The whole report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// By dimension, then currency; only what has transactions or reversals.
    pub rows: Vec<Reversals>,
    /// One per currency.
    pub totals: Vec<Reversals>,
    /// Conversions without the chosen date, whenever they came: outside of every range.
    pub undated: u64,
}

#[derive(Row, Deserialize)]
struct Found {
    is_now: u8,
    is_total: u8,
    dimension: Vec<String>,
    money_currency: String,
    transactions: u64,
    reversals: u64,
    gross_sales: Money,
    reversed_sales: Money,
    reversed_commission: Money,
    dated: u64,
    delays: Quantiles,
}

impl Reader {
    /// Calculates it, and with `before` the same of the range before.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn reversals(
        &self,
        asked: &Question,
        before: Option<&Question>,
    ) -> Result<Both<Report>, StoreError> {
        let sql = include_str!("reversals.sql").replace("{levels}", LEVELS);
        let query = self.asked_along(&sql, Table::Conversions, asked, before.into());
        let found: Vec<Found> = self.all("look at the reversals", query).await?;
        let undated = self.undated(asked).await?;
        let is_now = |row: &Found| row.is_now == 1;
        Ok(Both::of(found, asked, before, is_now, |found, asked| {
            Report::of(found, asked, undated)
        }))
    }
}

impl Report {
    fn of(found: Vec<Found>, asked: &Question, undated: u64) -> Self {
        let (totals, rows): (Vec<_>, Vec<_>) = found.into_iter().partition(|row| row.is_total == 1);
        Self {
            rows: rows.into_iter().map(|row| row.labelled(asked)).collect(),
            totals: totals.into_iter().map(Found::total).collect(),
            undated,
        }
    }
}

impl Found {
    fn labelled(self, asked: &Question) -> Reversals {
        let dimension = asked.labels(&self.dimension);
        Reversals {
            dimension,
            ..self.total()
        }
    }

    fn total(self) -> Reversals {
        Reversals {
            dimension: Vec::new(),
            currency: self.money_currency,
            transactions: self.transactions,
            reversals: self.reversals,
            gross_sales: self.gross_sales,
            reversed_sales: self.reversed_sales,
            reversed_commission: self.reversed_commission,
            delay: self.delays.of(self.dated),
        }
    }
}
