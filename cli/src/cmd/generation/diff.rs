//! `postback generation diff`: what differs between two generations.

use clap::Args;
use postback_store::comparison::{Change, Comparison, Money, Outcomes, Unpaired};
use postback_store::{Generation, Life, Offsets};
use serde_json::{Value, json};

use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, money, number, plural, printable, text};
use crate::replays::{Record, live_one};

/// Compare two generations: outcomes, money by currency, conversions column by column
#[derive(Debug, Args)]
#[command(after_help = "Example: postback generation diff 1 2\n\
    Both are loaded on while they are compared: what one has loaded a moment before the other one \
    differs, too. Exit code 3 when something differs.")]
pub(super) struct Diff {
    /// A generation, such as the active one
    #[arg(value_name = "ONE")]
    one: u32,
    /// Another one
    #[arg(value_name = "OTHER")]
    other: u32,
}

impl Diff {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let record = Record::of(&loaded.settings)?;
        let lineage = record.lineage().await?;
        let one = live_one(&lineage, self.one)?;
        let other = live_one(&lineage, self.other)?;
        let found = Differences::between(&record, one.generation, other, None).await?;
        let mut sheet = found.sheet();
        sheet.fact("one", self.one);
        sheet.fact("other", self.other);
        if found.is_empty() {
            sheet.notes.push("They are the same.".to_owned());
        }
        sheet.notes.extend(found.samples());
        sheet.write(options, console)?;
        Ok(if found.is_empty() {
            Ending::Done
        } else {
            Ending::Found
        })
    }
}

/// What differs, and what does not.
pub(crate) struct Differences {
    outcomes: Vec<Outcomes>,
    money: Vec<Money>,
    changes: Vec<Change>,
    unpaired: Unpaired,
    /// Conversions of each that outlived their postbacks.
    outlived: (u64, u64),
}

impl Differences {
    /// `until`: up to these offsets of the topic.
    pub(crate) async fn between(
        record: &Record,
        one: Generation,
        other: &Life,
        until: Option<Offsets>,
    ) -> Result<Self, Failure> {
        let comparison = Comparison::new(record.client.clone(), one, other.generation, until);
        let trouble = |error| record.trouble(&error);
        Ok(Self {
            outcomes: comparison.outcomes().await.map_err(trouble)?,
            money: comparison.money().await.map_err(trouble)?,
            changes: comparison.changes().await.map_err(trouble)?,
            unpaired: comparison.unpaired().await.map_err(trouble)?,
            outlived: comparison.without_postbacks().await.map_err(trouble)?,
        })
    }

    fn is_empty(&self) -> bool {
        let same_outcomes = self.outcomes.iter().all(|found| found.one == found.other);
        let same_money = (self.money.iter())
            .all(|found| (found.one, found.one_rows) == (found.other, found.other_rows));
        let (one, other) = self.outlived;
        let is_paired = self.unpaired.one + self.unpaired.other == 0;
        same_outcomes && same_money && one == other && self.changes.is_empty() && is_paired
    }

    fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(&[
            text("what", "What"),
            text("of", "Of"),
            number("one", "One"),
            number("other", "Other"),
            number("difference", "Difference"),
        ]);
        for found in &self.outcomes {
            sheet.rows.push(vec![
                Cell::text("postbacks"),
                Cell::Text(outcome(found)),
                Cell::Count(found.one),
                Cell::Count(found.other),
                signed(found.one, found.other),
            ]);
        }
        for found in &self.money {
            sheet.rows.push(vec![
                Cell::text("conversions"),
                Cell::Text(format!("with {} in {}", found.amount, currency(found))),
                Cell::Count(found.one_rows),
                Cell::Count(found.other_rows),
                signed(found.one_rows, found.other_rows),
            ]);
            sheet.rows.push(vec![
                Cell::text(&found.amount),
                Cell::text(currency(found)),
                Cell::Money(found.one),
                Cell::Money(found.other),
                Cell::Money(found.other - found.one),
            ]);
        }
        let (one, other) = self.outlived;
        if one + other > 0 {
            sheet.rows.push(vec![
                Cell::text("conversions"),
                Cell::text("that outlived their postbacks"),
                Cell::Count(one),
                Cell::Count(other),
                signed(one, other),
            ]);
        }
        let Unpaired { one, other, .. } = self.unpaired;
        if one + other > 0 {
            sheet.rows.push(vec![
                Cell::text("conversions"),
                Cell::text("of postbacks with several, in one of the two only"),
                Cell::Count(one),
                Cell::Count(other),
                signed(one, other),
            ]);
        }
        for change in &self.changes {
            sheet.rows.push(vec![
                Cell::text("changed"),
                Cell::Text(change.columns.join(", ")),
                Cell::Missing,
                Cell::Count(change.rows),
                Cell::Missing,
            ]);
        }
        sheet
    }

    /// One change of each kind.
    fn samples(&self) -> Vec<String> {
        let Unpaired {
            one,
            other,
            postback_id,
        } = self.unpaired;
        let unpaired = (one + other > 0).then(|| {
            format!(
                "{one} and {other} × of postbacks with several conversions, under a key that the other generation does not have for it, such as postback {postback_id}"
            )
        });
        (self.changes.iter().map(sample)).chain(unpaired).collect()
    }

    /// For the notes of `replay status`.
    pub(crate) fn for_people(&self) -> Vec<String> {
        if self.is_empty() {
            return vec![
                "It changes nothing: outcomes, money and conversions are the same.".to_owned(),
            ];
        }
        let mut lines = vec!["It changes:".to_owned()];
        for found in self
            .outcomes
            .iter()
            .filter(|found| found.one != found.other)
        {
            lines.push(format!(
                "  postbacks {}: {} → {}",
                outcome(found),
                found.one,
                found.other
            ));
        }
        for found in &self.money {
            if (found.one, found.one_rows) != (found.other, found.other_rows) {
                lines.push(format!(
                    "  {} in {}: {} of {} → {} of {}",
                    found.amount,
                    currency(found),
                    money(found.one),
                    found.one_rows,
                    money(found.other),
                    found.other_rows
                ));
            }
        }
        let (one, other) = self.outlived;
        if one != other {
            lines.push(format!("  {}", outlived(one)));
        }
        lines.extend(self.samples().into_iter().map(|line| format!("  {line}")));
        lines
    }

    /// For `meta`.
    pub(crate) fn for_programs(&self) -> Value {
        let outcomes = self.outcomes.iter().map(|found| {
            json!({"outcome": found.outcome, "reasons": found.reasons, "one": found.one, "other": found.other})
        });
        let amounts = self.money.iter().map(|found| {
            json!({"amount": found.amount, "currency": found.currency, "one_rows": found.one_rows,
                   "other_rows": found.other_rows, "one": money(found.one), "other": money(found.other)})
        });
        let changes = self.changes.iter().map(|change| {
            json!({"columns": change.columns, "rows": change.rows, "postback_id": change.postback_id,
                   "one": change.one, "other": change.other})
        });
        json!({
            "outcomes": outcomes.collect::<Vec<_>>(),
            "money": amounts.collect::<Vec<_>>(),
            "changes": changes.collect::<Vec<_>>(),
            "unpaired": {"one": self.unpaired.one, "other": self.unpaired.other},
            "outlived": {"one": self.outlived.0, "other": self.outlived.1},
        })
    }
}

/// A replay cannot make these.
pub(crate) fn outlived(conversions: u64) -> String {
    format!(
        "{} of accounts without a date: their postbacks went with their month (clickhouse.keep_days), so that a new generation lacks them and their money",
        plural(conversions, "conversion")
    )
}

fn outcome(found: &Outcomes) -> String {
    if found.reasons.is_empty() {
        found.outcome.clone()
    } else {
        format!("{}: {}", found.outcome, found.reasons.join(", "))
    }
}

fn currency(found: &Money) -> &str {
    if found.currency.is_empty() {
        "no currency"
    } else {
        &found.currency
    }
}

fn signed(one: u64, other: u64) -> Cell {
    let difference = i128::from(other) - i128::from(one);
    Cell::Text(if difference > 0 {
        format!("+{difference}")
    } else {
        difference.to_string()
    })
}

fn sample(change: &Change) -> String {
    let parts = change.columns.iter().zip(&change.one).zip(&change.other);
    let parts: Vec<_> = parts
        .map(|((column, one), other)| format!("{column} {} → {}", shown(one), shown(other)))
        .collect();
    format!(
        "{} × changed, such as postback {}: {}",
        change.rows,
        change.postback_id,
        parts.join("; ")
    )
}

fn shown(value: &str) -> String {
    let short: String = value.chars().take(60).collect();
    let more = if short.len() < value.len() { "…" } else { "" };
    format!("\"{}{more}\"", printable(&short))
}
