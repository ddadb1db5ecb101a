//! Orders of a class, one by one: for a support ticket.

use clickhouse::Row;
use jiff::Timestamp;
use serde::Deserialize;

use super::{Comparison, keyed};
use crate::error::StoreError;
use crate::reports::decode::micros;
use crate::reports::{Money, Reader};

/// Which orders are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Of that class.
    Matched,
    /// Explained, whatever the reason.
    Explained,
    /// See [`super`].
    Immature,
    /// Missing, and known by a signal alone.
    Unexplained,
    /// See [`super`].
    Extra,
    /// See [`super`].
    Standing,
    /// Matched with another amount or currency.
    Amounts,
    /// Matched with another click id.
    Clicks,
}

impl Wanted {
    const fn condition(self) -> &'static str {
        match self {
            Self::Matched => "class = 'matched'",
            Self::Explained => "class IN ('reversed', 'cancelled', 'returned', 'out_of_network')",
            Self::Immature => "class = 'immature'",
            Self::Unexplained => "class IN ('missing', 'signal_only')",
            Self::Extra => "class = 'extra'",
            Self::Standing => "is_standing",
            Self::Amounts => "other_amount OR other_currency",
            Self::Clicks => "other_click",
        }
    }
}

/// An order, as both sides have it.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Listed {
    /// The order's number.
    pub order_no: String,
    /// When it was placed, UTC.
    #[serde(deserialize_with = "micros")]
    pub occurred_at: Timestamp,
    /// Of the own side, else of the networks'.
    pub advertiser_id: String,
    /// The class, the reasons of explained and unexplained ones apart.
    pub class: String,
    /// As the own side has it; empty for extra ones.
    pub own_status: String,
    /// Of `own_amount`.
    pub own_currency: String,
    /// The own side's.
    pub own_amount: Money,
    /// Of `their_amount`.
    pub their_currency: String,
    /// What stands of the networks' transactions.
    pub their_amount: Money,
    /// The own side's.
    pub own_click: String,
    /// The networks'.
    pub their_click: String,
    /// How many are meant in all.
    pub total: u64,
}

const TEXTS: &str = ",\n    any(number) AS order_no, maxIf(money, is_own) AS own_currency, \
     maxIf(money, is_sale) AS their_currency";

impl Reader {
    /// The orders that are wanted, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn gap_list(
        &self,
        asked: &Comparison,
        wanted: Wanted,
        limit: u64,
    ) -> Result<Vec<Listed>, StoreError> {
        let keys = self.gap_keys(asked).await?;
        let by_advertiser = keys.own > 0 && keys.without_advertiser == 0;
        let sql = format!(
            "SELECT order_no, occurred_at, advertiser_id, class, own_status, own_currency, own_amount, \
             their_currency, their_amount, own_click, their_click, count() OVER () AS total \
             FROM ({}) WHERE {} ORDER BY occurred_at, order_no LIMIT {limit}",
            keyed(asked, by_advertiser, TEXTS),
            wanted.condition()
        );
        let query = self.gap_query(&sql, asked);
        self.all("list orders", query).await
    }
}
