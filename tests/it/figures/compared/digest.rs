//! The page for people: the same figures as its reports have by themselves.

use super::World;
use super::gap::With;
use super::{amounts, gap_figures, summary, unattributed, words};
use crate::figures::model::{Figure, Question, assert_figures, named};

pub(crate) fn assert(world: &World<'_>, question: &Question) {
    let mut arguments = question.arguments(false);
    let by = arguments
        .iter()
        .position(|argument| argument == "--by")
        .unwrap();
    arguments.drain(by..by + 2);
    let page = world.found(&["digest"], &arguments);
    let sections = &page["meta"]["sections"];
    let by = |by: &[&'static str]| question.clone().by(by);
    summary::assert_compared_meta(
        "digest: summary",
        &sections["summary"],
        world,
        &by(&["source"]),
    );
    let with = With::Orders;
    gap_figures::assert_meta("digest: gap", &sections["gap"], world, &by(&["day"]), with);
    unattributed::assert_section(world, &by(&["source"]), &sections["unattributed"]);
    let by_advertiser = by(&["advertiser"]);
    amounts::assert_looked_at(
        "digest: amounts",
        &sections["amounts"],
        world,
        &by_advertiser,
    );
    words::assert_sections(world, question, sections);
    let undated = Figure::count(question.undated(&world.conversions));
    let facts = vec![named("undated", undated)];
    assert_figures("digest: reversals", &sections["reversals"], &facts);
    let found: Vec<&str> = (page["rows"].as_array().unwrap().iter())
        .map(|row| row["finding"].as_str().unwrap())
        .collect();
    let standing = sections["gap"]["standing"].as_u64().unwrap();
    let rejected = sections["rejects"]["rejected"].as_u64().unwrap();
    for words in [
        format!("{standing} orders cancelled, returned or out of network"),
        format!("{rejected} postbacks became no conversion"),
    ] {
        let is_told = found.iter().any(|finding| finding.starts_with(&words));
        assert!(is_told, "{words}: {found:?}");
    }
}
