//! Orders of a class, one by one: for a support ticket.

use clickhouse::Row;
use jiff::Timestamp;
use serde::Deserialize;

use super::{CLASSES, Comparison, Extra, Texts, keyed};
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
            Self::Matched => "class = 2",
            Self::Explained => "class BETWEEN 3 AND 6",
            Self::Immature => "class = 7",
            Self::Unexplained => "class >= 8",
            Self::Extra => "class = 1",
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
    /// The own side's, else the networks'.
    pub source: String,
    /// The class, the reasons of explained and unexplained ones apart.
    #[serde(rename = "class_name")]
    pub class: String,
    /// As the own side has it; empty for extra ones.
    pub own_status: String,
    /// Of `own_amount`; empty where unknown, and where its lines have several.
    pub own_currency: String,
    /// The own side's; `None` where it knows none.
    #[serde(rename = "own_sum")]
    pub own_amount: Option<Money>,
    /// Of `their_amount`; empty where unknown, and where there are several.
    pub their_currency: String,
    /// What stands of the networks' transactions; `None` where none of them has an amount.
    #[serde(rename = "their_sum")]
    pub their_amount: Option<Money>,
    /// The own side's.
    pub own_click: String,
    /// The networks'.
    pub their_click: String,
    /// How many are meant in all.
    pub total: u64,
}

/// Texts that only a list needs, which is short.
const TEXTS: Texts = Texts {
    shown: ",\n    any(number) AS order_no, if(has_own AND NOT own_is_unpriced AND NOT own_is_mixed, own_amount, NULL) AS own_sum, \
            if(countIf(is_sale AND NOT is_unpriced) > 0 AND NOT their_is_mixed, their_amount, NULL) AS their_sum, maxIf(state, is_own) AS own_status, \
            reinterpretAsString(own_money) AS own_currency, reinterpretAsString(their_money) AS their_currency, \
            maxIf(clicked, is_own) AS own_click, maxIf(clicked, is_sale) AS their_click",
    read: ", toString(status) AS state, click_id AS clicked",
};

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
        let by_advertiser = self.names_advertisers(asked).await?;
        let extra = if wanted == Wanted::Extra {
            Extra::Wanted
        } else {
            Extra::LeftOut
        };
        let sql = format!(
            "SELECT order_no, occurred_at, advertiser_id, source, [{}][class + 1] AS class_name, own_status, own_currency, own_sum, \
             their_currency, their_sum, own_click, their_click, count() OVER () AS total \
             FROM ({}) WHERE {} ORDER BY occurred_at, order_no, source LIMIT {limit}",
            CLASSES.map(|class| format!("'{class}'")).join(", "),
            keyed(asked, by_advertiser, &TEXTS),
            wanted.condition()
        );
        let query = self.gap_query(&sql, asked, extra);
        self.all("list orders", query).await
    }
}
