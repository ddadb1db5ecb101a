//! Amounts beside those of own orders and statements.

use std::collections::BTreeMap;

use clickhouse::Row;
use serde::Deserialize;

use super::Key;
use super::judgement::{Suspicion, Why};
use crate::error::StoreError;
use crate::reports::own::Sides;
use crate::reports::question::{DateBy, Question, Table};
use crate::reports::share::Share;
use crate::reports::unattributed::IS_TRANSACTION;
use crate::reports::{OwnSource, Reader};

/// Days before and after the range within which an own order is that of a sale of the range.
const MARGIN_DAYS: u8 = 31;

/// Orders of a row that own orders or statements know too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Those with another amount or currency, of all that both know; an order that stands in own
    /// orders and in a statement is compared with each, and so are orders of several own sides.
    pub share: Share,
    /// The order id of one of them; empty where there is none.
    pub sample: String,
}

impl Mismatch {
    pub(super) fn suspicion(&self) -> Option<Suspicion> {
        (self.share.part > 0).then_some(Suspicion {
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
        sources: &[OwnSource],
    ) -> Result<BTreeMap<Key, Mismatch>, StoreError> {
        let sides = Sides::of(sources);
        if sides.are_none() {
            return Ok(BTreeMap::new());
        }
        let any = format!(
            "SELECT count() FROM (SELECT 1 FROM {{conversions}} WHERE {} LIMIT 1)",
            own(asked)
        );
        let any = sides.bind(self.asked(&any, Table::Conversions, asked));
        if self.one::<u64>("look for own orders", any).await? == 0 {
            return Ok(BTreeMap::new());
        }
        let (by_side, own_side, their_side) = if sides.are_several() {
            let of_row = Sides::without_meetings("kind IN ('order', 'statement')");
            (
                ", side",
                format!(", {of_row}[1] AS side"),
                format!(", arrayJoin({of_row}) AS side"),
            )
        } else {
            ("", String::new(), String::new())
        };
        let sql = include_str!("mismatch.sql")
            .replace("{by_side}", by_side)
            .replace("{own_side}", &own_side)
            .replace("{their_side}", &their_side)
            .replace("{is_own}", &own(asked))
            .replace("{is_transaction}", IS_TRANSACTION);
        let query = sides.bind(self.asked(&sql, Table::Conversions, asked));
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

/// Own orders and lines of statements that a sale of the range can be of. A sale stands in the range by
/// another date than that of the order where the question says so: then all of them.
fn own(asked: &Question) -> String {
    let of_time = match asked.date_by {
        DateBy::Occurred => format!(
            " AND occurred_at >= fromUnixTimestamp64Micro({{from:Int64}}) - toIntervalDay({MARGIN_DAYS}) \
             AND occurred_at < fromUnixTimestamp64Micro({{to:Int64}}) + toIntervalDay({MARGIN_DAYS})"
        ),
        DateBy::Processed | DateBy::Received => String::new(),
    };
    format!("kind IN ('order', 'statement') AND source IN {{sources:Array(String)}}{of_time}")
}
