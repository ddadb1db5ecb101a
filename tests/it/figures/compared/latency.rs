//! How long sales took to come.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::World;
use crate::figures::model::{Figure, Question, Received, Rows, assert_rows, named, quantiles};

pub(crate) fn assert(world: &World<'_>, question: &Question) {
    let mut of: BTreeMap<Vec<String>, Vec<&Received>> = BTreeMap::new();
    for one in question.chosen(&world.conversions) {
        let is_sale = one.says.is_transaction() && one.says.status != "reversed";
        // A signal with negative money is a reversal's.
        let is_signal = one.says.kind == "signal" && one.says.status != "reversed";
        if is_sale || is_signal {
            of.entry(question.labels(one)).or_default().push(one);
        }
    }
    let rows: Rows = of
        .into_iter()
        .map(|(key, all)| {
            let since = |date: fn(&Received) -> Option<Timestamp>| {
                let known = all.iter().filter_map(|one| Some((one.at, date(one)?)));
                let micros = known.map(|(at, date)| at.as_microsecond() - date.as_microsecond());
                micros.map(i128::from).collect::<Vec<_>>()
            };
            let levels = [50, 90, 99, 100];
            let mut figures = vec![named("conversions", Figure::count(all.len() as u64))];
            figures.extend(quantiles(
                "occurred",
                &levels,
                &since(|one| one.says.occurred),
            ));
            figures.extend(quantiles(
                "processed",
                &levels,
                &since(|one| one.says.processed),
            ));
            (key, figures)
        })
        .collect();
    let report = world.report(&["latency"], &question.arguments(true));
    assert_rows(
        &format!("latency {question:?}"),
        &report,
        &question.names(),
        &rows,
    );
}
