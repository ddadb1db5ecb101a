//! Sales that were taken back: how many, how much, how late.
//!
//! - *transactions*, *reversals*, *gross* and *reversed*: as in the summary, by currency.
//! - *rate*: reversals per transactions of the range, in percent. By date of sale, which networks
//!   repeat on a reversal, this is of one and the same sales, and still grows for the latest ones.
//! - *reversed share*: reversed per gross sales.
//! - *delay*: of each reversal with a date of sale, from that to when the network processed the
//!   reversal, or to when it was received where the network does not say.

use std::collections::BTreeMap;

use clickhouse::Row;
use serde::Deserialize;

use super::Reader;
use super::delay::{Delay, QUANTILES_IF, Quantiles};
use super::question::{Question, Table};
use super::summary::Figures;
use crate::error::StoreError;

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Reversals {
    /// The summary's figures.
    pub figures: Figures,
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
struct Delayed {
    is_total: u8,
    dimension: Vec<String>,
    currency: String,
    dated: u64,
    delays: Quantiles,
}

impl Reader {
    /// Calculates it.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn reversals(&self, asked: &Question) -> Result<Report, StoreError> {
        let (summary, delays) = tokio::try_join!(self.summary(asked), self.delays(asked))?;
        let with_delay = |figures: Vec<Figures>, is_total: u8| {
            let figures = figures
                .into_iter()
                .filter(|row| row.transactions + row.reversals > 0);
            let rows = figures.map(|figures| {
                let key = (
                    is_total,
                    figures.dimension.clone(),
                    figures.currency.clone(),
                );
                let delay = delays.get(&key).copied().flatten();
                Reversals { figures, delay }
            });
            rows.collect()
        };
        Ok(Report {
            rows: with_delay(summary.rows, 0),
            totals: with_delay(summary.totals, 1),
            undated: summary.undated,
        })
    }

    async fn delays(
        &self,
        asked: &Question,
    ) -> Result<BTreeMap<(u8, Vec<String>, String), Option<Delay>>, StoreError> {
        let sql = format!(
            "SELECT toUInt8(grouping(dimension)) AS is_total, {{dimension}} AS dimension, \
               toString(currency) AS currency, countIf(isNotNull(occurred_at)) AS dated, \
               {QUANTILES_IF}(toUnixTimestamp64Micro(ifNull(processed_at, received_at)) \
                 - toUnixTimestamp64Micro(assumeNotNull(occurred_at)), isNotNull(occurred_at)) AS delays \
             FROM {{conversions}} FINAL WHERE {{scope}} AND kind = 'transaction' AND status != 'rejected' \
               AND (ifNull(sale_amount, 0) < 0 OR ifNull(commission, 0) < 0 OR status = 'reversed') \
             GROUP BY GROUPING SETS ((dimension, currency), (currency))"
        );
        let query = self.asked(&sql, Table::Conversions, asked);
        let rows: Vec<Delayed> = self.all("measure the delays of reversals", query).await?;
        let rows = rows.into_iter().map(|row| {
            let dimension = match row.is_total {
                0 => asked.labels(&row.dimension),
                _ => Vec::new(),
            };
            (
                (row.is_total, dimension, row.currency),
                row.delays.of(row.dated),
            )
        });
        Ok(rows.collect())
    }
}
