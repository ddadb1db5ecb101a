//! Reasons of rejected postbacks, and flags of conversions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::Value;

use super::World;
use crate::figures::model::{
    Figure, Question, Received, Rows, assert_figures, assert_rows, changes, named,
};

/// What has words, for either report.
struct Item<'a> {
    labels: Vec<String>,
    words: Vec<&'a str>,
    at: Timestamp,
    id: &'a str,
}

fn rows(items: &[Item<'_>], counted: &str, zone: &TimeZone) -> Rows {
    let mut all: BTreeMap<&[String], u64> = BTreeMap::new();
    let mut of: BTreeMap<Vec<String>, (u64, (Timestamp, &str))> = BTreeMap::new();
    for item in items {
        *all.entry(&item.labels).or_default() += 1;
        for word in &item.words {
            let key = [item.labels.clone(), vec![(*word).to_owned()]].concat();
            let (count, newest) = of.entry(key).or_insert((0, (item.at, item.id)));
            *count += 1;
            *newest = (*newest).max((item.at, item.id));
        }
    }
    let row = |(key, (count, newest)): (Vec<String>, (u64, (Timestamp, &str)))| {
        let share = Figure::percent(count.into(), all[&key[..key.len() - 1]].into());
        let figures = vec![
            named(counted, Figure::count(count)),
            named("share_percent", share),
            named("last", Figure::Text(to_the_second(newest.0, zone))),
            named("sample", Figure::Text(newest.1.to_owned())),
            named("meaning", Figure::Any),
        ];
        (key, figures)
    };
    of.into_iter().map(row).collect()
}

fn to_the_second(moment: Timestamp, zone: &TimeZone) -> String {
    let local = moment.to_zoned(zone.clone());
    if local.offset() == Offset::UTC {
        local.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    } else {
        local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

/// A condition on the reasons chooses among the words: the share is of all that was received.
fn rejects<'a>(world: &'a World<'_>, question: &Question) -> Vec<Item<'a>> {
    let is_asked_for = |one: &super::Postback| {
        question.only.iter().all(|only| {
            let reason = only.strip_prefix("reason=");
            reason.is_none_or(|reason| one.reasons.contains(&reason))
        })
    };
    let item = |one: &'a super::Postback| Item {
        labels: question.labels_of(Some(one.at), |column| one.text(column)),
        words: if is_asked_for(one) {
            one.reasons.clone()
        } else {
            Vec::new()
        },
        at: one.at,
        id: &one.id,
    };
    let received = world.postbacks.iter();
    let received = received.filter(|one| question.contains(one.at));
    received.map(item).collect()
}

fn flags<'a>(world: &'a World<'_>, question: &Question) -> Vec<Item<'a>> {
    let item = |one: &'a Received| Item {
        labels: question.labels(one),
        words: one.says.flags.iter().copied().collect(),
        at: one.at,
        id: &one.id,
    };
    question
        .chosen(&world.conversions)
        .into_iter()
        .map(item)
        .collect()
}

fn assert_counts(what: &str, meta: &Value, names: [&str; 2], items: &[Item<'_>]) {
    let with_words = items.iter().filter(|item| !item.words.is_empty()).count();
    let facts = vec![
        named(names[0], Figure::count(with_words as u64)),
        named(names[1], Figure::count(items.len() as u64)),
    ];
    assert_figures(what, meta, &facts);
}

pub(crate) fn assert_rejects(world: &World<'_>, question: &Question) {
    let items = rejects(world, question);
    let report = world.report(&["rejects"], &question.arguments(false));
    let what = format!("rejects {question:?}");
    let keys = [question.names(), vec!["reason"]].concat();
    assert_rows(
        &what,
        &report,
        &keys,
        &rows(&items, "postbacks", &question.zone),
    );
    assert_counts(&what, &report["meta"], ["rejected", "received"], &items);
}

pub(crate) fn assert_flags(world: &World<'_>, question: &Question) {
    let items = flags(world, question);
    let report = world.report(&["flags"], &question.arguments(true));
    let what = format!("flags {question:?}");
    let keys = [question.names(), vec!["flag"]].concat();
    assert_rows(
        &what,
        &report,
        &keys,
        &rows(&items, "conversions", &question.zone),
    );
    assert_counts(&what, &report["meta"], ["flagged", "conversions"], &items);
}

/// Rejected and all postbacks of the range, flagged and all conversions.
pub(crate) fn assert_sections(world: &World<'_>, question: &Question, sections: &Value) {
    let (rejects, flags) = (rejects(world, question), flags(world, question));
    assert_counts(
        "digest: rejects",
        &sections["rejects"],
        ["rejected", "received"],
        &rejects,
    );
    assert_counts(
        "digest: flags",
        &sections["flags"],
        ["flagged", "conversions"],
        &flags,
    );
}

/// Both reports' figures beside those of the period before.
pub(crate) fn assert_compared(world: &World<'_>, question: &Question) {
    let before = question.before();
    let zone = &question.zone;
    let expected = |now: &[Item<'_>], before: &[Item<'_>], counted: &str| {
        let (now, before) = (rows(now, counted, zone), rows(before, counted, zone));
        changes(question, &now, before, &[counted, "share_percent"])
    };
    let (now, past) = (rejects(world, question), rejects(world, &before));
    let report = world.report(&["rejects", "--compare"], &question.arguments(false));
    let keys = |word| [question.names(), vec![word]].concat();
    let what = format!("rejects --compare {question:?}");
    assert_rows(
        &what,
        &report,
        &keys("reason"),
        &expected(&now, &past, "postbacks"),
    );
    let (now, past) = (flags(world, question), flags(world, &before));
    let report = world.report(&["flags", "--compare"], &question.arguments(true));
    let what = format!("flags --compare {question:?}");
    assert_rows(
        &what,
        &report,
        &keys("flag"),
        &expected(&now, &past, "conversions"),
    );
}
