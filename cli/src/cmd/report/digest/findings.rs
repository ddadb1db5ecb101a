//! What somebody should look at, from what the sections say of themselves.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::page::Section;
use crate::output::{Cell, Sheet, plural};

/// Whether any postback of the range was pushed, as the section of rejects says.
pub(super) const PUSHED: &str = "any_pushed";

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

/// A section does not say what a finding is made of: a defect of this program, and no good news.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Untold {
    section: &'static str,
    fact: &'static str,
}

impl std::error::Error for Untold {}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { section, fact } = self;
        write!(
            f,
            "the section {section} does not say {fact}: this is a defect of postback\n  \
             run `postback report {section}` for its figures, and report the defect"
        )
    }
}

/// All findings, in the order of the sections; `range` are the options that ask for the same range.
pub(super) fn of(sections: &[Section], range: &str) -> Result<Vec<Finding>, Untold> {
    let mut all = Vec::new();
    for section in sections {
        all.extend(of_section(section, range)?);
    }
    Ok(all)
}

fn of_section(section: &Section, range: &str) -> Result<Vec<Finding>, Untold> {
    let told = |fact: &str| section.sheet.meta.get(fact);
    let untold = |fact: &'static str| Untold {
        section: section.key,
        fact,
    };
    let count = |fact| told(fact).and_then(Value::as_u64).ok_or(untold(fact));
    let is = |fact| told(fact).and_then(Value::as_bool).ok_or(untold(fact));
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
        "gap" => {
            let (widened, standing) = (count("widened")?, count("standing")?);
            vec![
                finding(
                    widened,
                    format!("The gap is wider than usual on {}.", plural(widened, "day")),
                    &of_range("postback report gap --class unexplained"),
                ),
                finding(
                    standing,
                    format!(
                        "{} cancelled, returned or out of network on your side, and not taken back by the network.",
                        plural(standing, "order")
                    ),
                    &of_range("postback report gap --class standing"),
                ),
            ]
        }
        "unattributed" => {
            let rises = count("rises")?;
            vec![finding(
                rises,
                format!(
                    "Sales without a click id have risen beyond chance in {}.",
                    plural(rises, "source")
                ),
                &of_range("postback report unattributed --by day,advertiser"),
            )]
        }
        "amounts" => {
            let advertisers = advertisers(&section.sheet);
            vec![finding(
                advertisers,
                format!(
                    "The amounts of {} look wrong.",
                    plural(advertisers, "advertiser")
                ),
                &of_range("postback report amounts"),
            )]
        }
        "rejects" => {
            let rejected = count("rejected")?;
            vec![
                finding(
                    u64::from(!is(PUSHED)?),
                    "No postback was pushed in this range.".to_owned(),
                    "postback doctor",
                ),
                finding(
                    rejected,
                    format!("{} became no conversion.", plural(rejected, "postback")),
                    &of_range("postback report rejects --by day"),
                ),
            ]
        }
        "activity" => {
            let (off, silent) = (count("endpoints_off")?, count("silent")?);
            vec![
                finding(
                    off,
                    format!("The network does not send to {}.", plural(off, "source")),
                    "postback report activity",
                ),
                finding(
                    silent,
                    format!(
                        "{} silent for longer than is usual.",
                        plural(silent, "source")
                    ),
                    "postback report activity",
                ),
            ]
        }
        _ => Vec::new(),
    };
    Ok(found.into_iter().flatten().collect())
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
            let found = found.unwrap().into_iter();
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

    /// Fetched and imported postbacks come while nothing is sent, too.
    #[test]
    fn that_nothing_was_pushed_is_told_whatever_was_received() {
        let words = |pushed: bool| {
            let mut sheet = Sheet::new(&[]);
            sheet.fact("received", 7);
            sheet.fact("rejected", 2);
            sheet.fact(PUSHED, pushed);
            let found = of(&[Section::new("rejects", "Rejects", sheet)], "--from 7d");
            let found = found.unwrap().into_iter();
            found.map(|one| one.words).collect::<Vec<_>>()
        };
        let rejected = "2 postbacks became no conversion.";
        assert_eq!(words(true), [rejected]);
        assert_eq!(
            words(false),
            ["No postback was pushed in this range.", rejected]
        );
    }

    #[test]
    fn what_a_section_does_not_say_is_no_zero() {
        for (section, fact) in [
            ("gap", "widened"),
            ("unattributed", "rises"),
            ("rejects", "rejected"),
            ("activity", "endpoints_off"),
        ] {
            let mut sheet = Sheet::new(&[]);
            let told = |sheet| of(&[Section::new(section, "", sheet)], "");
            assert_eq!(told(Sheet::new(&[])), Err(Untold { section, fact }));
            // No number is none, either.
            sheet.fact(fact, "2");
            assert_eq!(told(sheet), Err(Untold { section, fact }));
        }
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
        )
        .unwrap();
        let words = "The amounts of 3 advertisers look wrong.";
        let look = "postback report amounts --from 7d --to today";
        assert_eq!((&*found[0].words, &*found[0].look), (words, look));
    }
}
