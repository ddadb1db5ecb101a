//! What amounts are like, beside what they usually are, and beside what one knows oneself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::World;
use crate::figures::model::{Figure, Question, Received, Rows, assert_figures, assert_rows, named};

type ByKey<'a> = BTreeMap<Vec<String>, Vec<&'a Received>>;

fn transactions<'a>(world: &'a World<'_>, question: &Question) -> ByKey<'a> {
    let mut by_key = ByKey::new();
    for one in question.chosen(&world.conversions) {
        if one.says.is_transaction() {
            let key = [question.labels(one), vec![one.says.currency.clone()]].concat();
            by_key.entry(key).or_default().push(one);
        }
    }
    by_key
}

fn positive(of: &[&Received]) -> Vec<i128> {
    let mut amounts: Vec<i128> = of.iter().filter_map(|one| one.says.sale).collect();
    amounts.retain(|units| *units > 0);
    amounts.sort_unstable();
    amounts
}

/// The amount at the middle of the positive ones.
fn typical(of: &[&Received]) -> Figure {
    let amounts = positive(of);
    amounts
        .get(amounts.len() / 2)
        .map_or(Figure::Missing, |units| Figure::Money(*units))
}

fn whole_percent(of: &[&Received]) -> Figure {
    let amounts = positive(of);
    let whole = amounts.iter().filter(|units| *units % 10_000 == 0).count();
    Figure::percent(whole as i128, amounts.len() as i128)
}

/// Orders that own orders which stand, or lines of statements, know too, and those of them that say
/// otherwise there.
fn compared(world: &World<'_>, of: &[&Received]) -> (u64, u64) {
    let mut sold: BTreeMap<(&str, &str), i128> = BTreeMap::new();
    for one in of.iter().filter(|one| !one.says.order_id.is_empty()) {
        let key = (&*one.says.advertiser_id, &*one.says.order_id);
        *sold.entry(key).or_default() += one.says.sale_or_nothing();
    }
    let currency = &of[0].says.currency;
    let mut found = (0, 0);
    for (own, status) in [
        (&world.own.orders, "placed"),
        (&world.own.lines, "reported"),
    ] {
        let standing = own.iter().filter(|order| order.status == status);
        let mut known: BTreeMap<(&str, &str), (BTreeSet<&str>, i128)> = BTreeMap::new();
        for order in standing {
            let (currencies, sum) = known
                .entry((&*order.advertiser, &*order.number))
                .or_default();
            currencies.insert(&order.currency);
            *sum += order.amount;
        }
        for (key, sale) in &sold {
            if let Some((currencies, sum)) = known.get(key) {
                let is_same =
                    currencies.len() == 1 && currencies.contains(&**currency) && sum == sale;
                found = (found.0 + 1, found.1 + u64::from(!is_same));
            }
        }
    }
    found
}

pub(crate) fn assert(world: &World<'_>, question: &Question) {
    let report = world.report(&["amounts", "--all"], &question.arguments(true));
    let what = format!("amounts {question:?}");
    let usual = transactions(world, &question.before().timeless());
    let is_time = |by: &&&str| matches!(**by, "hour" | "day" | "week" | "month");
    let times = question.by.iter().filter(is_time).count();
    let mut rows = Rows::new();
    for (key, of) in transactions(world, question) {
        let past = usual
            .get(&key[times..])
            .map(Vec::as_slice)
            .unwrap_or_default();
        let count = |is: fn(&Received) -> bool| {
            Figure::count(of.iter().filter(|one| is(one)).count() as u64)
        };
        let (known, mismatched) = compared(world, &of);
        let figures = vec![
            named("transactions", Figure::count(of.len() as u64)),
            named("zero", count(|one| one.says.sale == Some(0))),
            named("missing", count(|one| one.says.sale.is_none())),
            named(
                "zero_commission",
                count(|one| one.says.commission == Some(0)),
            ),
            named("whole_percent", whole_percent(&of)),
            named("usual_whole_percent", whole_percent(past)),
            named("typical", typical(&of)),
            named("usual", typical(past)),
            named("compared", Figure::count(known)),
            named("mismatched", Figure::count(mismatched)),
            named("suspicions", Figure::Any),
        ];
        rows.insert(key, figures);
    }
    let keys = [question.names(), vec!["currency"]].concat();
    assert_rows(&what, &report, &keys, &rows);
    assert_looked_at(&what, &report["meta"], world, question);
    for row in report["rows"].as_array().unwrap() {
        let words = row["suspicions"].as_array().unwrap();
        let is_told = words.iter().any(|word| word == "mismatched");
        assert_eq!(
            is_told,
            row["mismatched"].as_u64().unwrap() > 0,
            "{what}: {row}"
        );
    }
}

pub(crate) fn assert_looked_at(what: &str, meta: &Value, world: &World<'_>, question: &Question) {
    let rows = transactions(world, question).len() as u64;
    assert_figures(what, meta, &vec![named("looked_at", Figure::count(rows))]);
}
