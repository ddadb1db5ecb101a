//! What one postback says, and which of several that say it of the same sale counts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// A conversion as the network means it.
#[derive(Debug, Clone)]
pub(crate) struct Conversion {
    pub(crate) source: &'static str,
    pub(crate) network: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) status: &'static str,
    pub(crate) transaction_id: String,
    pub(crate) order_id: String,
    pub(crate) click_id: String,
    pub(crate) advertiser_id: String,
    pub(crate) offer_id: String,
    pub(crate) sku: String,
    pub(crate) sub_ids: BTreeMap<&'static str, String>,
    pub(crate) extra: BTreeMap<&'static str, String>,
    /// Empty where it is unknown.
    pub(crate) currency: String,
    pub(crate) commission_currency: String,
    /// Ten-thousandths.
    pub(crate) sale: Option<i128>,
    pub(crate) commission: Option<i128>,
    pub(crate) occurred: Option<Timestamp>,
    pub(crate) processed: Option<Timestamp>,
    pub(crate) flags: BTreeSet<&'static str>,
}

/// A conversion that came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) says: Conversion,
}

impl Conversion {
    /// A missing amount is nothing.
    pub(crate) fn sale_or_nothing(&self) -> i128 {
        self.sale.unwrap_or(0)
    }

    pub(crate) fn commission_or_nothing(&self) -> i128 {
        self.commission.unwrap_or(0)
    }

    fn is_countable(&self) -> bool {
        self.kind == "transaction" && self.status != "rejected"
    }

    fn is_negative(&self) -> bool {
        self.sale_or_nothing() < 0 || self.commission_or_nothing() < 0
    }

    pub(crate) fn is_transaction(&self) -> bool {
        self.is_countable() && !self.is_negative()
    }

    pub(crate) fn is_reversal(&self) -> bool {
        self.is_countable() && (self.is_negative() || self.status == "reversed")
    }

    /// What an amount adds to the gross sum, and what to the reversed one.
    pub(crate) fn parts(&self, amount: i128) -> (i128, i128) {
        let gross = amount.max(0);
        let reversed = if self.status == "reversed" {
            -amount.abs()
        } else {
            amount.min(0)
        };
        if self.is_countable() {
            (gross, reversed)
        } else {
            (0, 0)
        }
    }

    /// A column's value as people write it.
    pub(crate) fn text(&self, column: &str) -> String {
        let money = |amount: Option<i128>| {
            amount.map_or(String::new(), |units| {
                // As a decimal column prints: without zeros at the end.
                let text = super::money::shown(units);
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            })
        };
        match column {
            // Each source has an account of its own name.
            "source" | "account" => self.source.to_owned(),
            "network" => self.network.to_owned(),
            "kind" => self.kind.to_owned(),
            "status" => self.status.to_owned(),
            "transaction_id" => self.transaction_id.clone(),
            "order_id" => self.order_id.clone(),
            "click_id" => self.click_id.clone(),
            "advertiser_id" | "advertiser" => self.advertiser_id.clone(),
            "offer_id" | "offer" => self.offer_id.clone(),
            "sku" => self.sku.clone(),
            "currency" => self.currency.clone(),
            "commission_currency" => self.commission_currency.clone(),
            "sale_amount" => money(self.sale),
            "template" => self.extra.get("pbt").cloned().unwrap_or_default(),
            _ => {
                let (map, name) = column.split_once('.').expect("a known column");
                let map = if map == "extra" {
                    &self.extra
                } else {
                    &self.sub_ids
                };
                map.get(name).cloned().unwrap_or_default()
            }
        }
    }

    /// Two with the same are one conversion.
    fn identity(&self) -> (&'static str, String, &'static str) {
        (
            self.source,
            self.transaction_id.to_ascii_lowercase(),
            self.kind,
        )
    }
}

/// One of each conversion: the newest by the network's own time, else by ours.
pub(crate) fn counting(all: &[Received]) -> Vec<Received> {
    let mut newest: BTreeMap<_, &Received> = BTreeMap::new();
    let order = |one: &Received| {
        (
            one.says.processed.unwrap_or(one.at),
            one.at.as_millisecond(),
        )
    };
    for one in all {
        newest
            .entry(one.says.identity())
            .and_modify(|known| {
                assert_ne!(order(known), order(one), "the book must say which is newer");
                if order(one) > order(known) {
                    *known = one;
                }
            })
            .or_insert(one);
    }
    newest.into_values().cloned().collect()
}
