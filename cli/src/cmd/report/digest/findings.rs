//! What somebody should look at, from what the sections say of themselves.

use std::collections::BTreeSet;

use serde_json::Value;

use super::page::Section;
use crate::output::{Cell, Sheet, plural};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The report that tells more.
    pub(super) section: &'static str,
    /// A sentence.
    pub(super) words: String,
    /// A command line.
    pub(super) look: String,
}

/// All findings, in the order of the sections; `range` are the options that ask for the same range.
pub(super) fn of(sections: &[Section], range: &str) -> Vec<Finding> {
    let sections = sections.iter();
    sections
        .flat_map(|section| of_section(section, range))
        .collect()
}

fn of_section(section: &Section, range: &str) -> Vec<Finding> {
    let count = |fact: &str| {
        section
            .sheet
            .meta
            .get(fact)
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let finding = |count: u64, words: String, look: &str| {
        let section = section.key;
        let look = look.to_owned();
        (count > 0).then_some(Finding {
            section,
            words,
            look,
        })
    };
    let of_range = |command: &str| format!("{command} {range}");
    let found = match section.key {
        "gap" => vec![
            finding(
                count("widened"),
                format!(
                    "The gap is wider than usual on {}.",
                    plural(count("widened"), "day")
                ),
                &of_range("postback report gap --class unexplained"),
            ),
            finding(
                count("standing"),
                format!(
                    "{} cancelled, returned or out of network on your side, and not taken back by the network.",
                    plural(count("standing"), "order")
                ),
                &of_range("postback report gap --class standing"),
            ),
        ],
        "unattributed" => vec![finding(
            count("rises"),
            format!(
                "Sales without a click id have risen beyond chance in {}.",
                plural(count("rises"), "source")
            ),
            &of_range("postback report unattributed --by day,advertiser"),
        )],
        "amounts" => vec![finding(
            advertisers(&section.sheet),
            format!(
                "The amounts of {} look wrong.",
                plural(advertisers(&section.sheet), "advertiser")
            ),
            &of_range("postback report amounts"),
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
                &of_range("postback report rejects --by day"),
            ),
        ],
        "activity" => vec![
            finding(
                count("endpoints_off"),
                format!(
                    "The network does not send to {}.",
                    plural(count("endpoints_off"), "source")
                ),
                "postback report activity",
            ),
            finding(
                count("silent"),
                format!(
                    "{} silent for longer than is usual.",
                    plural(count("silent"), "source")
                ),
                "postback report activity",
            ),
        ],
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// Advertisers of the rows, each by its network and id: one has a row for each currency.
fn advertisers(sheet: &Sheet) -> u64 {
    let name = |row: &Vec<Cell>| row.iter().take(2).map(Cell::for_csv).collect::<Vec<_>>();
    sheet.rows.iter().map(name).collect::<BTreeSet<_>>().len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::text;

    #[test]
    fn a_network_that_does_not_send_is_told() {
        let words = |off: usize| {
            let mut sheet = Sheet::new(&[]);
            sheet.fact("silent", 0);
            sheet.fact("endpoints_off", off);
            let found = of(&[Section::new("activity", "Activity", sheet)], "--from 7d");
            let found = found.into_iter();
            found
                .map(|one| format!("{} {}", one.words, one.look))
                .collect::<Vec<_>>()
        };
        assert_eq!(words(0), Vec::<String>::new());
        let one = "The network does not send to 1 source. postback report activity";
        assert_eq!(words(1), [one]);
        let two = "The network does not send to 2 sources. postback report activity";
        assert_eq!(words(2), [two]);
    }

    #[test]
    fn an_advertiser_with_two_currencies_is_one_and_commands_ask_for_the_same_range() {
        let columns = ["network", "advertiser", "currency"].map(|name| text(name, name));
        let mut sheet = Sheet::new(&columns);
        let rows = [
            ["awin", "10", "EUR"],
            ["awin", "10", "GBP"],
            ["awin", "11", "EUR"],
            ["rakuten", "10", "EUR"],
        ];
        sheet.rows = rows.map(|row| row.map(Cell::text).to_vec()).to_vec();
        let found = of(
            &[Section::new("amounts", "Amounts", sheet)],
            "--from 7d --to today",
        );
        let words = "The amounts of 3 advertisers look wrong.";
        let look = "postback report amounts --from 7d --to today";
        assert_eq!((&*found[0].words, &*found[0].look), (words, look));
    }
}
