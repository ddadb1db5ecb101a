//! Orders, money and signals, per currency; the same beside the period before.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::World;
use crate::figures::model::{
    Figure, Figures, Question, Received, Rows, assert_figures, assert_rows, changes, named,
};

/// One row's sums.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sums {
    orders: BTreeSet<(&'static str, String, String)>,
    transactions: u64,
    reversals: u64,
    sales: (i128, i128),
    commission: (i128, i128),
    signals: u64,
    unattributed: u64,
    unknown: u64,
    rejected: u64,
}

type ByKey = BTreeMap<Vec<String>, Sums>;

/// `label` says what a row is of, beside its currency.
fn sums(chosen: &[&Received], label: impl Fn(&Received) -> Vec<String>) -> ByKey {
    let mut sums: ByKey = BTreeMap::new();
    for one in chosen {
        let says = &one.says;
        let key = |currency: &str| [label(one), vec![currency.to_owned()]].concat();
        let add = |sum: &mut (i128, i128), currency: &str, amount: i128| {
            let parts = says.parts(amount);
            // Amounts of unknown currencies cannot be added to each other.
            if !currency.is_empty() {
                *sum = (sum.0 + parts.0, sum.1 + parts.1);
            }
        };
        let paid = sums.entry(key(&says.commission_currency)).or_default();
        add(
            &mut paid.commission,
            &says.commission_currency,
            says.commission_or_nothing(),
        );
        let sold = sums.entry(key(&says.currency)).or_default();
        add(&mut sold.sales, &says.currency, says.sale_or_nothing());
        if says.is_transaction() {
            sold.transactions += 1;
            sold.unattributed += u64::from(says.click_id.is_empty());
            if !says.order_id.is_empty() {
                let order = (
                    says.source,
                    says.advertiser_id.clone(),
                    says.order_id.clone(),
                );
                sold.orders.insert(order);
            }
        }
        sold.reversals += u64::from(says.is_reversal());
        sold.signals += u64::from(says.kind == "signal");
        sold.unknown += u64::from(says.kind == "unknown");
        sold.rejected += u64::from(says.kind == "transaction" && says.status == "rejected");
    }
    sums
}

impl Sums {
    fn is_shown(&self) -> bool {
        self.transactions + self.reversals + self.signals > 0 || self.commission != (0, 0)
    }

    fn figures(&self) -> Figures {
        let money = |name: &str, (gross, reversed): (i128, i128)| {
            [
                named(&format!("gross_{name}"), Figure::Money(gross)),
                named(&format!("reversed_{name}"), Figure::Money(reversed)),
                named(&format!("net_{name}"), Figure::Money(gross + reversed)),
            ]
        };
        let share = Figure::percent(self.unattributed.into(), self.transactions.into());
        let mut figures = vec![
            named("orders", Figure::count(self.orders.len() as u64)),
            named("transactions", Figure::count(self.transactions)),
            named("reversals", Figure::count(self.reversals)),
            named("signals", Figure::count(self.signals)),
            named("unattributed_percent", share),
        ];
        figures.extend(money("sales", self.sales));
        figures.extend(money("commission", self.commission));
        figures
    }
}

fn keys(question: &Question) -> Vec<&'static str> {
    [question.names(), vec!["currency"]].concat()
}

fn rows(world: &World<'_>, question: &Question) -> Rows {
    let chosen = question.chosen(&world.conversions);
    let sums = sums(&chosen, |one| question.labels(one));
    let shown = sums.into_iter().filter(|(_, sums)| sums.is_shown());
    shown.map(|(key, sums)| (key, sums.figures())).collect()
}

/// Rows, totals and what is outside of them.
pub(crate) fn assert(world: &World<'_>, question: &Question) {
    let what = format!("summary {question:?}");
    let report = world.report(&["summary"], &question.arguments(true));
    assert_rows(&what, &report, &keys(question), &rows(world, question));
    let totals = rows(world, &question.clone().by(&[]));
    assert_meta(&what, &report["meta"], world, question, &totals);
}

/// Totals beside those of the period before: all figures, and the changes of some.
fn compared_totals(world: &World<'_>, question: &Question) -> Rows {
    let question = question.clone().by(&[]);
    let (now, before) = (rows(world, &question), rows(world, &question.before()));
    let mut totals = changes(&question, &now, before, COMPARED);
    for (key, figures) in now {
        let is_other = |(name, _): &(String, Figure)| !COMPARED.contains(&&**name);
        let others = figures.into_iter().filter(is_other);
        totals.get_mut(&key).unwrap().extend(others);
    }
    totals
}

/// The totals of each currency, beside those of the period before, and what is in no figure.
pub(crate) fn assert_compared_meta(
    what: &str,
    meta: &Value,
    world: &World<'_>,
    question: &Question,
) {
    let totals = compared_totals(world, question);
    assert_meta(what, meta, world, question, &totals);
}

fn assert_meta(what: &str, meta: &Value, world: &World<'_>, question: &Question, totals: &Rows) {
    let chosen = question.chosen(&world.conversions);
    let all = sums(&chosen, |_| Vec::new());
    let shown = serde_json::json!({"rows": meta["totals"]});
    assert_rows(&format!("{what}: totals"), &shown, &["currency"], totals);
    let sum = |figure: fn(&Sums) -> u64| all.values().map(figure).sum::<u64>();
    let unknown = all.get(&vec![String::new()]);
    let facts = vec![
        named("unknown_kind", Figure::count(sum(|sums| sums.unknown))),
        named(
            "rejected_by_network",
            Figure::count(sum(|sums| sums.rejected)),
        ),
        named(
            "unknown_currency",
            Figure::count(unknown.map_or(0, |sums| sums.transactions + sums.reversals)),
        ),
        named(
            "undated",
            Figure::count(question.undated(&world.conversions)),
        ),
    ];
    assert_figures(what, meta, &facts);
}

/// Figures that are compared.
const COMPARED: &[&str] = &[
    "orders",
    "transactions",
    "reversals",
    "net_sales",
    "net_commission",
    "unattributed_percent",
];

/// Each figure beside that of the period before.
pub(crate) fn assert_compared(world: &World<'_>, question: &Question) {
    let (now, before) = (rows(world, question), rows(world, &question.before()));
    let expected = changes(question, &now, before, COMPARED);
    let report = world.report(&["summary", "--compare"], &question.arguments(true));
    let what = format!("summary --compare {question:?}");
    assert_rows(&what, &report, &keys(question), &expected);
    assert_compared_meta(&what, &report["meta"], world, question);
}
