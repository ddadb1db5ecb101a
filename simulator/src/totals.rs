//! What a set of postbacks adds up to, computed from their facts alone.
//!
//! Postbacks that share a conversion key within one source count once; of those that differ in
//! content the one processed last counts. *Transactions* are conversions of that kind with neither
//! amount negative, *reversals* those with either negative. Per money column, *gross* is the money
//! of transactions and *reversed* that of negative amounts; net is their sum. Signals and conversions
//! of unknown kind are counted, their money is not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::amount::Amount;
use crate::contract::Fate;
use crate::event::Kind;
use crate::facts::Facts;
use crate::ledger::Entry;

/// The distinct conversions of a set of postbacks, to be grouped and summed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Each conversion once, with the contents that count.
    pub conversions: Vec<Conversion>,
}

/// One conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The receiver's name of the source.
    pub source: String,
    /// Its contents.
    pub facts: Facts,
    /// How many postbacks told of it.
    pub postbacks: u64,
}

/// Conversions by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCounts {
    /// `is_event=N`, reversals included.
    pub transactions: u64,
    /// `is_event=Y`
    pub signals: u64,
    /// Without `is_event`.
    pub unknown: u64,
}

/// The sums of one group, all in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Distinct orders (source, advertiser and order id) among the transactions; a transaction
    /// without an order id is part of none.
    pub orders: u64,
    /// Transactions with neither amount negative.
    pub transactions: u64,
    /// Transactions with either amount negative.
    pub reversals: u64,
    /// Sale amounts that are not negative.
    pub gross_sales: Amount,
    /// Sale amounts that are negative.
    pub reversed_sales: Amount,
    /// Commissions that are not negative.
    pub gross_commission: Amount,
    /// Commissions that are negative.
    pub reversed_commission: Amount,
    /// Signals.
    pub signals: u64,
    /// Conversions of unknown kind.
    pub unknown: u64,
    /// Those of `transactions` that have no click id.
    pub without_click: u64,
}

impl Totals {
    /// The totals of those entries that must be loaded; all others are passed over.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut totals = Totals::default();
        let mut known: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for planned in entries.into_iter().map(|entry| &entry.planned) {
            let (Fate::Loaded { .. }, Some(facts)) = (planned.fate, &planned.facts) else {
                continue;
            };
            let key = planned
                .conversion
                .as_deref()
                .map(|key| (planned.source.as_str(), key));
            if let Some(index) = key.and_then(|key| known.get(&key)) {
                totals.conversions[*index].add(facts);
                continue;
            }
            if let Some(key) = key {
                known.insert(key, totals.conversions.len());
            }
            totals.conversions.push(Conversion {
                source: planned.source.clone(),
                facts: facts.clone(),
                postbacks: 1,
            });
        }
        totals
    }

    /// The conversions for which `keep` holds.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&Conversion) -> bool) -> Totals {
        let kept = self
            .conversions
            .iter()
            .filter(|conversion| keep(conversion));
        Totals {
            conversions: kept.cloned().collect(),
        }
    }

    /// The conversions whose transaction date lies from `from`, inclusive, to `to`, exclusive, in
    /// UTC. Conversions without a date lie in no range.
    #[must_use]
    pub fn between(&self, from: Date, to: Date) -> Totals {
        self.filter(|conversion| {
            conversion
                .facts
                .day()
                .is_some_and(|day| from <= day && day < to)
        })
    }

    /// The conversions of one source.
    #[must_use]
    pub fn of_source(&self, source: &str) -> Totals {
        self.filter(|conversion| conversion.source == source)
    }

    /// How many conversions there are of each kind.
    #[must_use]
    pub fn kinds(&self) -> KindCounts {
        let mut counts = KindCounts::default();
        for conversion in &self.conversions {
            match conversion.facts.kind {
                Kind::Transaction => counts.transactions += 1,
                Kind::Signal => counts.signals += 1,
                Kind::Unknown => counts.unknown += 1,
            }
        }
        counts
    }

    /// Sums per UTC day of the transaction date (`None` without one) and currency.
    #[must_use]
    pub fn by_day(&self) -> BTreeMap<(Option<Date>, String), Sums> {
        self.by(|conversion| (conversion.facts.day(), conversion.facts.currency.clone()))
    }

    /// Sums per source and currency.
    #[must_use]
    pub fn by_source(&self) -> BTreeMap<(String, String), Sums> {
        self.by(|conversion| (conversion.source.clone(), conversion.facts.currency.clone()))
    }

    /// Sums per advertiser (empty without one) and currency.
    #[must_use]
    pub fn by_advertiser(&self) -> BTreeMap<(String, String), Sums> {
        self.by(|conversion| {
            let advertiser = conversion.facts.advertiser_id.clone().unwrap_or_default();
            (advertiser, conversion.facts.currency.clone())
        })
    }

    /// Sums per currency.
    #[must_use]
    pub fn by_currency(&self) -> BTreeMap<String, Sums> {
        self.by(|conversion| conversion.facts.currency.clone())
    }

    /// Sums per group. Money is summed as it stands, so `group` must hold the currency.
    pub fn by<K: Ord>(&self, group: impl Fn(&Conversion) -> K) -> BTreeMap<K, Sums> {
        let mut groups: BTreeMap<K, Group<'_>> = BTreeMap::new();
        for conversion in &self.conversions {
            groups.entry(group(conversion)).or_default().add(conversion);
        }
        groups
            .into_iter()
            .map(|(key, group)| (key, group.sums()))
            .collect()
    }
}

impl Conversion {
    /// Another postback of the same conversion: the one processed last counts, of equals the later.
    fn add(&mut self, facts: &Facts) {
        self.postbacks += 1;
        if facts.processed_at >= self.facts.processed_at {
            self.facts = facts.clone();
        }
    }
}

impl Sums {
    /// Gross and reversed sales together.
    #[must_use]
    pub fn net_sales(&self) -> Amount {
        self.gross_sales + self.reversed_sales
    }

    /// Gross and reversed commissions together.
    #[must_use]
    pub fn net_commission(&self) -> Amount {
        self.gross_commission + self.reversed_commission
    }
}

/// A group while it is summed.
#[derive(Default)]
struct Group<'a> {
    sums: Sums,
    orders: BTreeSet<(&'a str, Option<&'a str>, &'a str)>,
}

impl<'a> Group<'a> {
    fn add(&mut self, conversion: &'a Conversion) {
        match conversion.facts.kind {
            Kind::Transaction => self.add_transaction(&conversion.source, &conversion.facts),
            Kind::Signal => self.sums.signals += 1,
            Kind::Unknown => self.sums.unknown += 1,
        }
    }

    fn add_transaction(&mut self, source: &'a str, facts: &'a Facts) {
        let sums = &mut self.sums;
        book(
            facts.sale_amount,
            &mut sums.gross_sales,
            &mut sums.reversed_sales,
        );
        book(
            facts.commission,
            &mut sums.gross_commission,
            &mut sums.reversed_commission,
        );
        if facts.is_negative() {
            sums.reversals += 1;
            return;
        }
        sums.transactions += 1;
        sums.without_click += u64::from(facts.click_id.is_none());
        if let Some(order) = &facts.order_id {
            self.orders
                .insert((source, facts.advertiser_id.as_deref(), order));
        }
    }

    fn sums(self) -> Sums {
        Sums {
            orders: self.orders.len() as u64,
            ..self.sums
        }
    }
}

fn book(amount: Option<Amount>, gross: &mut Amount, reversed: &mut Amount) {
    let amount = amount.unwrap_or_default();
    *(if amount.is_negative() {
        reversed
    } else {
        gross
    }) += amount;
}

#[cfg(test)]
mod tests;
