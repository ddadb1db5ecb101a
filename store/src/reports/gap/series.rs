//! The gap by time, for those who watch it.

use clickhouse::Row;
use serde::Deserialize;

use super::{Comparison, Extra, Texts, keyed};
use crate::error::StoreError;
use crate::reports::{Money, Reader};

/// What of one bin's own orders is missing, of one advertiser and currency. Explained and immature
/// orders are in none of the figures.
#[derive(Debug, Clone, PartialEq, Row, Deserialize)]
pub struct Missed {
    /// As the own side names it; empty where it does not.
    pub advertiser: String,
    /// Number of the bin since 1970, by the time of the order.
    pub bin: u32,
    /// ISO 4217, the own side's; empty where unknown.
    #[serde(rename = "money_currency")]
    pub currency: String,
    /// Matched and unexplained orders.
    pub orders: u32,
    /// Of them unexplained.
    pub unexplained: u32,
    /// The own side's, of the orders.
    pub amount: Money,
    /// The own side's, of the unexplained ones.
    pub unexplained_amount: Money,
    /// The squares of the orders' amounts, added up; an estimate of scatter, no money.
    pub squares: f64,
}

/// Own orders by themselves: the networks' name for an advertiser is known of matched ones alone,
/// and all others would be missing by another name.
const TEXTS: Texts = Texts {
    shown: ",\n    maxIf(advertiser, is_own) AS own_advertiser",
    read: "",
};

/// A conversion whose status is a first one was received once, so far as anybody knows.
const DELAY_TEXTS: Texts = Texts {
    shown: ",\n    minIf(came, is_sale AND is_first) AS came_at, countIf(is_sale AND is_first) > 0 AS has_come",
    read: ", received_at AS came, status IN ('reported', 'pending') AS is_first",
};

impl Reader {
    /// The gap by advertiser, bin and currency, in order; bins begin at multiples of `width` seconds
    /// since 1970. The question's own rows (`by`) are not looked at.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn gap_series(
        &self,
        asked: &Comparison,
        width: u32,
    ) -> Result<Vec<Missed>, StoreError> {
        let by_advertiser = self.names_advertisers(asked).await?;
        let sql = format!(
            "SELECT own_advertiser AS advertiser, toUInt32(intDiv(toUnixTimestamp(occurred_at), {{width:UInt32}})) AS bin, \
             currency AS money_currency, toUInt32(count()) AS orders, toUInt32(countIf(class >= 8)) AS unexplained, \
             sum(own_amount) AS amount, sumIf(own_amount, class >= 8) AS unexplained_amount, \
             sum(pow(toFloat64(own_amount), 2)) AS squares \
             FROM ({}) WHERE class = 2 OR class >= 8 \
             GROUP BY own_advertiser, bin, money_currency ORDER BY own_advertiser, bin, money_currency",
            keyed(asked, by_advertiser, &TEXTS)
        );
        let query = self
            .gap_query(&sql, asked, Extra::LeftOut)
            .param("width", width);
        self.all("compare with conversions by time", query).await
    }

    /// How many seconds after the own order matched conversions were received: a thousandth part of
    /// them between each and the next, in order; none where nothing is matched.
    ///
    /// Conversions that were revised are left out: when they first came is not known any more.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn gap_delays(&self, asked: &Comparison) -> Result<Vec<f64>, StoreError> {
        let by_advertiser = self.names_advertisers(asked).await?;
        let sql = format!(
            "SELECT quantilesExact({})(toFloat64(dateDiff('microsecond', occurred_at, came_at)) / 1e6) AS delays \
             FROM ({}) WHERE class = 2 AND has_come",
            levels(),
            keyed(asked, by_advertiser, &DELAY_TEXTS)
        );
        let query = self.gap_query(&sql, asked, Extra::LeftOut);
        let delays: Vec<f64> = self.one("measure how late conversions come", query).await?;
        // The quantiles of nothing are no numbers.
        Ok(delays
            .into_iter()
            .filter(|delay| delay.is_finite())
            .collect())
    }
}

/// The middles of a thousand parts.
fn levels() -> String {
    let levels: Vec<String> = (0..1_000).map(|part| format!("0.{part:03}5")).collect();
    levels.join(", ")
}
