//! Amounts beside those of own orders and statements.

use std::collections::BTreeMap;

use clickhouse::Row;
use serde::Deserialize;

use super::Key;
use super::judgement::{Suspicion, Why};
use crate::error::StoreError;
use crate::reports::Reader;
use crate::reports::question::{Question, Table};
use crate::reports::share::Share;
use crate::reports::unattributed::IS_TRANSACTION;

/// Orders of a row that own orders or statements know too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Those with another amount or currency, of all that both know; an order that stands in own
    /// orders and in a statement is compared with each.
    pub share: Share,
    /// The order id of one of them; empty where there is none.
    pub sample: String,
}

impl Mismatch {
    pub(super) fn suspicion(&self) -> Option<Suspicion> {
        (self.share.of > 0).then_some(Suspicion {
            why: Why::Mismatched,
            since: None,
            days: 0,
        })
    }
}

#[derive(Row, Deserialize)]
struct Found {
    dimension: Vec<String>,
    money_currency: String,
    compared: u64,
    mismatched: u64,
    sample: String,
}

impl Reader {
    /// By the raw texts of a row, and its currency.
    pub(super) async fn mismatches(
        &self,
        asked: &Question,
    ) -> Result<BTreeMap<Key, Mismatch>, StoreError> {
        let any = "SELECT count() FROM (SELECT 1 FROM {conversions} \
             WHERE kind IN ('order', 'statement') LIMIT 1)";
        if self
            .one::<u64>("look for own orders", self.query(any))
            .await?
            == 0
        {
            return Ok(BTreeMap::new());
        }
        let sql = format!(
            "WITH sold AS (SELECT {{dimension}} AS dimension, toString(currency) AS money_currency, \
                 advertiser_id, order_id, sum(ifNull(sale_amount, toDecimal64(0, 4))) AS sale \
               FROM {{conversions}} FINAL WHERE {{scope}} AND {IS_TRANSACTION} AND order_id != '' \
               GROUP BY dimension, money_currency, advertiser_id, order_id), \
             own AS (SELECT advertiser_id, order_id, kind, groupUniqArray(toString(currency)) AS currencies, \
                 sum(ifNull(sale_amount, toDecimal64(0, 4))) AS sale \
               FROM {{conversions}} FINAL \
               WHERE ((kind = 'order' AND status = 'placed') OR (kind = 'statement' AND status = 'reported')) \
                 AND (advertiser_id, order_id) IN (SELECT advertiser_id, order_id FROM sold) \
               GROUP BY advertiser_id, order_id, kind), \
             (own.currencies != [money_currency] OR own.sale != sold.sale) AS differs \
             SELECT dimension, money_currency, count() AS compared, countIf(differs) AS mismatched, \
               maxIf(order_id, differs) AS sample \
             FROM sold INNER JOIN own USING (advertiser_id, order_id) \
             GROUP BY dimension, money_currency"
        );
        let query = self.asked(&sql, Table::Conversions, asked);
        let found: Vec<Found> = self.all("compare with own orders", query).await?;
        let found = found.into_iter().map(|row| {
            let mismatch = Mismatch {
                share: Share::new(row.mismatched, row.compared),
                sample: row.sample,
            };
            ((row.dimension, row.money_currency), mismatch)
        });
        Ok(found.collect())
    }
}
