//! What a comparison shows.

use postback_simulator::Audit;
use postback_simulator::audit::{Compared, Comparison, Figure};
use postback_store::Generation;
use uuid::Uuid;

use crate::output::{Cell, Sheet, number, plural, text};

pub(super) struct About<'a> {
    pub(super) audit: &'a Audit,
    pub(super) comparison: &'a Comparison,
    /// Records that wait to be loaded.
    pub(super) waiting: u64,
    pub(super) all: bool,
    pub(super) generation: Generation,
}

impl About<'_> {
    /// Whether the tables say what the ledger says.
    pub(super) fn is_equal(&self) -> bool {
        self.comparison.compared.iter().all(Compared::is_equal)
    }

    pub(super) fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(&[
            text("what", "What"),
            text("currency", "Currency"),
            text("kind", "Kind"),
            text("status", "Status"),
            number("ledger", "Ledger"),
            number("tables", "Tables"),
            text("equal", "Equal"),
        ]);
        let rows = self.comparison.compared.iter();
        let shown = rows.filter(|compared| self.all || !compared.is_equal());
        sheet.rows = shown.map(row).collect();
        sheet.fact("equal", self.is_equal());
        sheet.fact("compared", self.comparison.compared.len());
        sheet.fact("generation", self.generation.number());
        sheet.fact("acknowledged", self.audit.counts().acknowledged);
        sheet.fact("unanswered_and_loaded", self.comparison.arrived);
        sheet.fact("of_others", self.comparison.strangers);
        sheet.fact("not_loaded_yet", self.waiting);
        let ids: Vec<String> = self.missing();
        sheet.fact("missing", ids);
        sheet.notes = self.notes();
        sheet
    }

    fn missing(&self) -> Vec<String> {
        let ids = self.comparison.missing.iter();
        ids.map(|id| Uuid::from_u128(*id).to_string()).collect()
    }

    fn notes(&self) -> Vec<String> {
        let Comparison {
            compared,
            arrived,
            strangers,
            ..
        } = self.comparison;
        let counts = self.audit.counts();
        let different = compared.iter().filter(|row| !row.is_equal()).count();
        let figures = plural(compared.len() as u64, "figure");
        let mut notes = vec![if different == 0 {
            format!(
                "The tables say what the ledger says: {figures} of {} are equal.",
                plural(counts.acknowledged, "acknowledged postback")
            )
        } else {
            format!("{different} of {figures} differ.")
        }];
        if self.audit.end().is_none() {
            notes.push("The ledger has no end: the run was killed, or still goes on. What it sent last may be missing here.".to_owned());
        }
        let open = counts.failed;
        if open > 0 || *arrived > 0 {
            notes.push(format!(
                "{} had no answer; {} of those without a clear answer are in the tables, and compared.",
                plural(open, "attempt"), arrived
            ));
        }
        if *strangers > 0 {
            notes.push(format!(
                "{} of this source and time are not of this ledger, and left out.",
                plural(*strangers, "postback")
            ));
        }
        if different > 0 {
            notes.extend(self.remedies());
        }
        notes
    }

    fn remedies(&self) -> Vec<String> {
        let mut remedies = Vec::new();
        let missing = self.missing();
        if self.waiting > 0 {
            remedies.push(format!(
                "{} still waiting in Kafka: give it time with --wait, or see `postback doctor` whether a consumer runs",
                plural(self.waiting, "record")
            ));
        }
        if let Some(id) = missing.first() {
            remedies.push(format!(
                "acknowledged and not in the tables, such as {id}: follow it with `postback trace {id} --as id`; `postback spool status` shows what waits on ingest's disk, `postback verify` compares Kafka with the tables"
            ));
        }
        let differ = self
            .comparison
            .compared
            .iter()
            .any(|row| row.group.is_some() && !row.is_equal());
        if differ && missing.is_empty() && self.waiting == 0 {
            remedies.push(of_groups(&self.comparison.compared));
        }
        let line = |remedy: &String| format!("remedy: {remedy}");
        remedies.iter().map(line).collect()
    }
}

/// What to do where all postbacks are there, and what became of them differs.
fn of_groups(compared: &[Compared]) -> String {
    let conversions = |side: fn(&Compared) -> Figure| -> u64 {
        let counts = compared.iter().filter(|row| row.what == "conversions");
        let counts = counts.map(|row| match side(row) {
            Figure::Count(count) => count,
            Figure::Sum(_) => 0,
        });
        counts.sum()
    };
    let (told, there) = (conversions(|row| row.ledger), conversions(|row| row.tables));
    let otherwise = "the same --seed was sent to this account before, or the source's template, currency or account in the configuration is another than the one that was sent by; run with another --seed to tell";
    if there < told {
        let lost = plural(told - there, "conversion");
        format!(
            "all postbacks are there, and {lost} of theirs not: `postback verify` compares Kafka with the tables and names the rows that are lost, and `postback replay start` makes the tables anew from Kafka. Where that finds nothing: {otherwise}"
        )
    } else {
        format!("all postbacks are there and what became of them differs: {otherwise}")
    }
}

fn row(compared: &Compared) -> Vec<Cell> {
    let part = |part: fn(&postback_simulator::audit::Group) -> &String| {
        let group = compared.group.as_ref();
        group.map_or(Cell::Missing, |group| Cell::text(part(group)))
    };
    vec![
        Cell::text(compared.what),
        part(|group| &group.currency),
        part(|group| &group.kind),
        part(|group| &group.status),
        figure(compared.ledger),
        figure(compared.tables),
        Cell::Flag(compared.is_equal()),
    ]
}

fn figure(figure: Figure) -> Cell {
    match figure {
        Figure::Count(count) => Cell::Count(count),
        Figure::Sum(amount) => Cell::Money(amount.scaled()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversions(ledger: u64, tables: u64) -> Compared {
        Compared {
            what: "conversions",
            group: Some(postback_simulator::audit::Group::default()),
            ledger: Figure::Count(ledger),
            tables: Figure::Count(tables),
        }
    }

    #[test]
    fn lost_rows_are_looked_for_first_and_the_configuration_where_none_is_lost() {
        let lost = of_groups(&[conversions(3, 3), conversions(5, 3)]);
        assert!(
            lost.contains("2 conversions of theirs not: `postback verify`"),
            "{lost}"
        );
        // As many, in another currency.
        let moved = of_groups(&[conversions(3, 0), conversions(0, 3)]);
        assert!(
            moved.contains("currency or account") && !moved.contains("postback verify"),
            "{moved}"
        );
    }
}
