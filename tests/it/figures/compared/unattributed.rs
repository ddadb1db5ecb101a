//! Sales without a click id, beside the usual share.

use std::collections::BTreeMap;

use serde_json::Value;

use super::World;
use super::chance::is_surely_higher;
use crate::figures::model::{Figure, Figures, Question, Rows, assert_figures, assert_rows, named};

type Shares = BTreeMap<Vec<String>, (u64, u64)>;

fn shares(world: &World<'_>, question: &Question) -> Shares {
    let mut shares = Shares::new();
    for one in question.chosen(&world.conversions) {
        if one.says.is_transaction() {
            let (of, all) = shares.entry(question.labels(one)).or_default();
            *of += u64::from(one.says.click_id.is_empty());
            *all += 1;
        }
    }
    shares
}

fn rows(world: &World<'_>, question: &Question) -> Rows {
    let usual = shares(world, &question.before().timeless());
    let is_time = |by: &&&str| matches!(**by, "hour" | "day" | "week" | "month");
    let times = question.by.iter().filter(is_time).count();
    let row = |(key, (of, all)): (Vec<String>, (u64, u64))| {
        // Times stand first in the questions of these tests.
        let usual = usual.get(&key[times..]).copied().unwrap_or_default();
        let figures = vec![
            named("transactions", Figure::count(all)),
            named("unattributed", Figure::count(of)),
            named(
                "unattributed_percent",
                Figure::percent(of.into(), all.into()),
            ),
            named(
                "usual_percent",
                Figure::percent(usual.0.into(), usual.1.into()),
            ),
            named(
                "rise",
                Figure::Flag(is_surely_higher((of, all), usual, 1.0)),
            ),
        ];
        (key, figures)
    };
    shares(world, question).into_iter().map(row).collect()
}

pub(crate) fn assert(world: &World<'_>, question: &Question) {
    let report = world.report(&["unattributed"], &question.arguments(true));
    let what = format!("unattributed {question:?}");
    assert_rows(&what, &report, &question.names(), &rows(world, question));
    assert_meta(&what, &report["meta"], world, question);
}

/// What the digest says of it.
pub(crate) fn assert_section(world: &World<'_>, question: &Question, meta: &Value) {
    assert_meta("digest: unattributed", meta, world, question);
}

fn assert_meta(what: &str, meta: &Value, world: &World<'_>, question: &Question) {
    let all = shares(world, question);
    let rows = rows(world, question);
    let is_rise = |figures: &&Figures| figures[4].1 == Figure::Flag(true);
    let facts = vec![
        named(
            "rises",
            Figure::count(rows.values().filter(is_rise).count() as u64),
        ),
        named(
            "transactions",
            Figure::count(all.values().map(|share| share.1).sum()),
        ),
        named(
            "unattributed",
            Figure::count(all.values().map(|share| share.0).sum()),
        ),
    ];
    assert_figures(what, meta, &facts);
}
