//! What somebody should look at, from what the sections say of themselves.

use serde_json::Value;

use super::page::Section;
use crate::output::plural;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The report that tells more.
    pub(super) section: &'static str,
    /// A sentence.
    pub(super) words: String,
    /// A command line.
    pub(super) look: &'static str,
}

/// All findings, in the order of the sections.
pub(super) fn of(sections: &[Section]) -> Vec<Finding> {
    sections.iter().flat_map(of_section).collect()
}

fn of_section(section: &Section) -> Vec<Finding> {
    let count = |fact: &str| {
        section
            .sheet
            .meta
            .get(fact)
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let finding = |count: u64, words: String, look: &'static str| {
        let section = section.key;
        (count > 0).then_some(Finding {
            section,
            words,
            look,
        })
    };
    let found = match section.key {
        "gap" => vec![
            finding(
                count("widened"),
                format!(
                    "The gap is wider than usual on {}.",
                    plural(count("widened"), "day")
                ),
                "postback report gap --class unexplained",
            ),
            finding(
                count("standing"),
                format!(
                    "{} cancelled, returned or out of network on your side, and not taken back by the network.",
                    plural(count("standing"), "order")
                ),
                "postback report gap --class standing",
            ),
        ],
        "unattributed" => vec![finding(
            count("rises"),
            format!(
                "Sales without a click id have risen beyond chance in {}.",
                plural(count("rises"), "source")
            ),
            "postback report unattributed --by day,advertiser",
        )],
        "amounts" => vec![finding(
            count("suspicious"),
            format!(
                "The amounts of {} look wrong.",
                plural(count("suspicious"), "advertiser")
            ),
            "postback report amounts",
        )],
        "rejects" => vec![
            finding(
                u64::from(count("received") == 0),
                "No postback was received in this range.".to_owned(),
                "postback doctor",
            ),
            finding(
                count("rejected"),
                format!(
                    "{} became no conversion.",
                    plural(count("rejected"), "postback")
                ),
                "postback report rejects --by day",
            ),
        ],
        "activity" => vec![finding(
            count("silent"),
            format!(
                "{} silent for longer than is usual.",
                plural(count("silent"), "source")
            ),
            "postback report activity",
        )],
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}
