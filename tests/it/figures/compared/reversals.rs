//! Sales that were taken back.

use std::collections::BTreeMap;

use super::World;
use crate::figures::model::{
    Figure, Question, Rows, assert_figures, assert_rows, changes, named, quantiles,
};

#[derive(Default)]
struct Sums {
    transactions: u64,
    reversals: u64,
    gross: i128,
    reversed: i128,
    commission: i128,
    delays: Vec<i128>,
}

fn rows(world: &World<'_>, question: &Question) -> Rows {
    let mut sums: BTreeMap<Vec<String>, Sums> = BTreeMap::new();
    for one in question.chosen(&world.conversions) {
        let says = &one.says;
        if !says.is_transaction() && !says.is_reversal() {
            continue;
        }
        let key = [question.labels(one), vec![says.currency.clone()]].concat();
        let row = sums.entry(key).or_default();
        row.transactions += u64::from(says.is_transaction());
        row.reversals += u64::from(says.is_reversal());
        if !says.currency.is_empty() {
            let (gross, reversed) = says.parts(says.sale_or_nothing());
            row.gross += gross;
            row.reversed += reversed;
            if says.currency == says.commission_currency {
                row.commission += says.parts(says.commission_or_nothing()).1;
            }
        }
        if let Some(sold) = says.occurred.filter(|_| says.is_reversal()) {
            let taken_back = says.processed.unwrap_or(one.at);
            row.delays.push(i128::from(
                taken_back.as_microsecond() - sold.as_microsecond(),
            ));
        }
    }
    sums.into_iter()
        .map(|(key, row)| {
            let mut figures = vec![
                named("transactions", Figure::count(row.transactions)),
                named("reversals", Figure::count(row.reversals)),
                named(
                    "rate_percent",
                    Figure::percent(row.reversals.into(), row.transactions.into()),
                ),
                named("gross_sales", Figure::Money(row.gross)),
                named("reversed_sales", Figure::Money(row.reversed)),
                named(
                    "share_of_money_percent",
                    Figure::percent(-row.reversed, row.gross),
                ),
                named("reversed_commission", Figure::Money(row.commission)),
            ];
            figures.extend(quantiles("delay", &[50, 90, 100], &row.delays));
            (key, figures)
        })
        .collect()
}

fn keys(question: &Question) -> Vec<&'static str> {
    [question.names(), vec!["currency"]].concat()
}

pub(crate) fn assert(world: &World<'_>, question: &Question) {
    let report = world.report(&["reversals"], &question.arguments(true));
    let what = format!("reversals {question:?}");
    assert_rows(&what, &report, &keys(question), &rows(world, question));
    let undated = Figure::count(question.undated(&world.conversions));
    assert_figures(&what, &report["meta"], &vec![named("undated", undated)]);
}

/// Figures that are compared.
const COMPARED: &[&str] = &[
    "transactions",
    "reversals",
    "rate_percent",
    "reversed_sales",
    "share_of_money_percent",
];

/// Each figure beside that of the period before.
pub(crate) fn assert_compared(world: &World<'_>, question: &Question) {
    let (now, before) = (rows(world, question), rows(world, &question.before()));
    let expected = changes(question, &now, before, COMPARED);
    let report = world.report(&["reversals", "--compare"], &question.arguments(true));
    let what = format!("reversals --compare {question:?}");
    assert_rows(&what, &report, &keys(question), &expected);
}
