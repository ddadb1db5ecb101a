//! Amounts that look wrong: the field that is mapped, its unit, or its currency.
//!
//! - Counted are the transactions of the summary, by the currency of the sale.
//! - *zero*, *missing*: those whose sale amount is 0, or is not there.
//! - *whole*: those of the positive sale amounts that have no minor units.
//! - *typical*: the median of the `n` positive sale amounts: in order, the one at place `⌊n/2⌋` from 0.
//! - *usual*: the same of the period of the same length before the range, of the same dimensions
//!   without times. Every day of the range is compared with that period as a whole; see
//!   [`Suspicion`] for what is marked.
//! - *mismatched*: orders that own orders or statements know too, and whose currency or sale is
//!   another there: gross sales of (advertiser, order id) against the sum of the own orders that are
//!   `placed`, or of a statement's lines that are `reported`; each kind and own side for itself
//!   ([`OwnSource`]), with the accounts that it is compared with. By date of sale, own sides that are
//!   dated within 31 days of the range. An own order without an amount is not compared.

mod judgement;
mod mismatch;

use std::collections::BTreeMap;

use clickhouse::Row;
use jiff::civil::Date;
use serde::Deserialize;

pub use judgement::{Suspicion, Why};
pub use mismatch::Mismatch;

use super::decode::day;
use super::question::{Along, Question, Table};
use super::share::Share;
use super::unattributed::{IS_TRANSACTION, timeless};
use super::{Money, OwnSource, Reader};
use crate::error::StoreError;

/// What the amounts of some transactions are like.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Amounts {
    /// All of them.
    pub transactions: u64,
    /// With a sale amount of 0.
    pub zero: u64,
    /// Without a sale amount.
    pub missing: u64,
    /// With a commission of 0.
    pub zero_commission: u64,
    /// Whole ones of the positive amounts.
    pub whole: Share,
    /// The median of the positive amounts; 0 without one.
    pub typical: Money,
    /// How far apart they usually are: (upper - lower quartile) of their natural logarithms.
    pub spread: f64,
}

#[derive(Row, Deserialize)]
struct Found {
    is_now: u8,
    dimension: Vec<String>,
    money_currency: String,
    is_all: u8,
    #[serde(deserialize_with = "day")]
    day: Date,
    transactions: u64,
    zero: u64,
    missing: u64,
    zero_commission: u64,
    positive: u64,
    whole: u64,
    quartiles: Vec<i64>,
}

impl Found {
    fn amounts(&self) -> Amounts {
        let (lower, middle, upper) = match *self.quartiles.as_slice() {
            [lower, middle, upper] if self.positive > 0 => (lower, middle, upper),
            _ => (1, 0, 1),
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a logarithm's fourth digit is enough"
        )]
        let spread = (upper.max(1) as f64).ln() - (lower.max(1) as f64).ln();
        Amounts {
            transactions: self.transactions,
            zero: self.zero,
            missing: self.missing,
            zero_commission: self.zero_commission,
            whole: Share::new(self.whole, self.positive),
            typical: Money(middle.into()),
            spread,
        }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is of: a text for each of the question's names.
    pub dimension: Vec<String>,
    /// ISO 4217; empty where unknown.
    pub currency: String,
    /// Of the range.
    pub now: Amounts,
    /// Of the period before.
    pub usual: Amounts,
    /// Orders that own orders and statements know too.
    pub compared: Mismatch,
    /// What is marked.
    pub suspicions: Vec<Suspicion>,
}

/// Raw texts of a row, and its currency.
type Key = (Vec<String>, String);

impl Reader {
    /// Calculates it, by dimension, then currency. `has_minor_units` says of a currency whether its
    /// amounts have decimals; `own` are the sources that they are compared with.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn amounts(
        &self,
        asked: &Question,
        own: &[OwnSource],
        has_minor_units: impl Fn(&str) -> bool,
    ) -> Result<Vec<Line>, StoreError> {
        let (found, mismatches) =
            tokio::try_join!(self.found_amounts(asked), self.mismatches(asked, own))?;
        let (all, days): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.is_all == 1);
        let (now, past): (Vec<_>, Vec<_>) = all.into_iter().partition(|found| found.is_now == 1);
        let past: BTreeMap<Key, Amounts> = past
            .into_iter()
            .map(|found| {
                let key = timeless(asked, &found.dimension);
                ((key, found.money_currency.clone()), found.amounts())
            })
            .collect();
        let mut by_key: BTreeMap<Key, Vec<(Date, Amounts)>> = BTreeMap::new();
        let mut by_day: BTreeMap<(Vec<String>, Date), u64> = BTreeMap::new();
        for found in days.iter().filter(|found| found.is_now == 1) {
            let key = (found.dimension.clone(), found.money_currency.clone());
            by_key
                .entry(key)
                .or_default()
                .push((found.day, found.amounts()));
            *by_day
                .entry((found.dimension.clone(), found.day))
                .or_default() += found.transactions;
        }
        let lines = now.into_iter().map(|found| {
            let key = (found.dimension.clone(), found.money_currency.clone());
            let timeless = timeless(asked, &found.dimension);
            let of_past = past.range((timeless.clone(), String::new())..);
            let of_past = of_past.take_while(|((dimension, _), _)| *dimension == timeless);
            let of_past = of_past.map(|((_, currency), amounts)| (currency.as_str(), *amounts));
            let of_past: BTreeMap<&str, Amounts> = of_past.collect();
            let judged = judgement::Judged {
                currency: &found.money_currency,
                has_minor_units: has_minor_units(&found.money_currency),
                past: &of_past,
            };
            let days = by_key.get(&key).map(Vec::as_slice).unwrap_or_default();
            let all = |day| {
                by_day
                    .get(&(found.dimension.clone(), day))
                    .copied()
                    .unwrap_or(0)
            };
            let mut suspicions = judged.suspicions(days, all);
            let compared = mismatches.get(&key).cloned().unwrap_or_default();
            suspicions.extend(compared.suspicion());
            Line {
                dimension: asked.labels(&found.dimension),
                now: found.amounts(),
                usual: of_past
                    .get(&*found.money_currency)
                    .copied()
                    .unwrap_or_default(),
                currency: found.money_currency,
                compared,
                suspicions,
            }
        });
        Ok(lines.collect())
    }

    async fn found_amounts(&self, asked: &Question) -> Result<Vec<Found>, StoreError> {
        let past = asked.past();
        let along = past.as_ref().map_or(Along::Nothing, Along::Past);
        let sql = include_str!("amounts.sql").replace("{is_transaction}", IS_TRANSACTION);
        let query = self.asked_along(&sql, Table::Conversions, asked, along);
        self.all("look at the amounts", query).await
    }
}
