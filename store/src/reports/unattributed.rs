//! Transactions without a click id: sales that nobody can be paid for.
//!
//! - *transactions*: as in the summary: conversions of kind `transaction`, not `rejected` by the
//!   network, with neither amount negative.
//! - *unattributed*: those with an empty click id.
//! - *usual*: the share of the period of the same length before the range, of the same dimensions
//!   without times: each day is compared with the whole period before, not with its neighbour.
//! - *rise*: the share is higher than the usual one by more than a percentage point and beyond chance
//!   ([`Share::is_surely_higher`]).

use std::collections::BTreeMap;

use clickhouse::Row;
use serde::Deserialize;

use super::Reader;
use super::question::{Along, Dimension, Question, Table};
use super::share::Share;
use crate::error::StoreError;

/// Percentage points by which a share must be higher than usual at least.
const RISE: f64 = 1.0;

/// Conversions that count as transactions.
pub(super) const IS_TRANSACTION: &str = "(kind = 'transaction' AND status != 'rejected' \
     AND ifNull(sale_amount, toDecimal64(0, 4)) >= 0 AND ifNull(commission, toDecimal64(0, 4)) >= 0)";

#[derive(Row, Deserialize)]
struct Counted {
    is_now: u8,
    dimension: Vec<String>,
    transactions: u64,
    unattributed: u64,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unattributed {
    /// What it is of: a text for each of the question's names.
    pub dimension: Vec<String>,
    /// Unattributed transactions of all transactions.
    pub share: Share,
    /// The same of the period before; of nothing where that has no transaction.
    pub usual: Share,
}

impl Unattributed {
    /// Whether the share is higher than usual, beyond chance.
    #[must_use]
    pub fn is_rise(&self) -> bool {
        self.share.is_surely_higher(self.usual, RISE)
    }
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// By dimension.
    pub rows: Vec<Unattributed>,
    /// All of them.
    pub total: Unattributed,
}

impl Reader {
    /// Calculates it.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn unattributed(&self, asked: &Question) -> Result<Report, StoreError> {
        let counted = self.counted_unattributed(asked).await?;
        let (now, past): (Vec<_>, Vec<_>) = counted.into_iter().partition(|row| row.is_now == 1);
        let share = |row: Counted| {
            let share = Share::new(row.unattributed, row.transactions);
            (row.dimension, share)
        };
        let now: Vec<_> = now.into_iter().map(share).collect();
        let past: Vec<_> = past.into_iter().map(share).collect();
        let sum = |rows: &[(Vec<String>, Share)]| {
            rows.iter().fold(Share::default(), |sum, (_, share)| {
                Share::new(sum.part + share.part, sum.all + share.all)
            })
        };
        let total = Unattributed {
            dimension: Vec::new(),
            share: sum(&now),
            usual: sum(&past),
        };
        let past = past.into_iter();
        let past: BTreeMap<_, _> = past
            .map(|(dimension, share)| (timeless(asked, &dimension), share))
            .collect();
        let rows = now.into_iter().map(|(dimension, share)| Unattributed {
            usual: past
                .get(&timeless(asked, &dimension))
                .copied()
                .unwrap_or_default(),
            dimension: asked.labels(&dimension),
            share,
        });
        Ok(Report {
            rows: rows.collect(),
            total,
        })
    }

    /// Of the range by its dimensions, of the one before by those that are no times.
    async fn counted_unattributed(&self, asked: &Question) -> Result<Vec<Counted>, StoreError> {
        let past = asked.past();
        let along = past.as_ref().map_or(Along::Nothing, Along::Past);
        let sql = format!(
            "WITH {{keys}} SELECT {{is_now}} AS is_now, {{dimension}} AS dimension, count() AS transactions, \
               countIf(click_id.size = 0) AS unattributed \
             FROM {{conversions}} FINAL WHERE {{scope}} AND {IS_TRANSACTION} \
             GROUP BY is_now, {{by}} ORDER BY dimension"
        );
        let query = self.asked_along(&sql, Table::Conversions, asked, along);
        self.all("count what is unattributed", query).await
    }
}

/// The texts of a row without those of times.
pub(super) fn timeless(asked: &Question, dimension: &[String]) -> Vec<String> {
    let widths = asked.by.iter().map(|by| (by, by.names().len()));
    let mut left = dimension;
    let mut kept = Vec::new();
    for (by, width) in widths {
        let (these, rest) = left.split_at(width.min(left.len()));
        if !matches!(by, Dimension::Time(_)) {
            kept.extend_from_slice(these);
        }
        left = rest;
    }
    kept
}
