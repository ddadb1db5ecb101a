//! What is shown of it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_store::Generation;
use postback_store::retention::Horizon;
use postback_store::verify::{Fault, KeyFinding, Scope};

use super::differing::{Lone, Sample};
use super::outcome::Outcome;
use crate::arguments::Options;
use crate::lag::{GroupLag, PartitionLag};
use crate::output::{Cell, Sheet, number, plural, printable, text};
use crate::range::{shown, shown_exactly};

/// Everything that the sheet says.
pub(super) struct About<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) lag: &'a GroupLag,
    pub(super) scope: &'a Scope,
    pub(super) generation: Generation,
    pub(super) horizon: Option<Horizon>,
    /// `--from`.
    pub(super) asked_from: Option<Timestamp>,
}

const fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::TwoDays => "two_days",
        Fault::NoConversion => "no_conversion",
        Fault::WrongRevision => "wrong_revision",
        Fault::OlderCounts => "older_counts",
    }
}

impl About<'_> {
    pub(super) fn sheet(&self, is_well: bool, options: &Options) -> Sheet {
        let mut sheet = Sheet::new(&[
            text("finding", "Finding"),
            text("id", "Id or key"),
            text("account", "Account"),
            text("key_day", "Day"),
            text("other_day", "Other day"),
            number("partition", "Partition"),
            number("offset", "Offset"),
            text("received_at", "Received"),
        ]);
        let zone = &options.time_zone;
        let differences = &self.outcome.differences;
        for (name, sample) in [
            ("missing", &differences.missing),
            ("extra", &differences.extra),
        ] {
            sheet
                .rows
                .extend(sample.some.iter().map(|lone| of_lone(name, lone, zone)));
        }
        for fault in Fault::ALL {
            if fault != Fault::OlderCounts || options.verbose {
                let findings = self.outcome.some(fault).iter();
                sheet
                    .rows
                    .extend(findings.map(|found| of_key(fault, found, zone)));
            }
        }
        self.facts(is_well, &mut sheet, zone);
        sheet.notes = self.notes(is_well, zone);
        sheet
    }

    fn facts(&self, is_well: bool, sheet: &mut Sheet, zone: &TimeZone) {
        let Outcome {
            records,
            unreadable,
            rows,
            differences,
            ..
        } = self.outcome;
        let moment = |moment: Option<Timestamp>| moment.map(|moment| shown(moment, zone));
        sheet.fact("well", is_well);
        sheet.fact("generation", self.generation.number());
        sheet.fact("from", moment(self.scope.from));
        sheet.fact("to", moment(self.scope.to));
        sheet.fact("source", self.scope.source.clone());
        sheet.fact("records", *records);
        sheet.fact("missing", differences.missing.total);
        sheet.fact("extra", differences.extra.total);
        for fault in Fault::ALL {
            sheet.fact(name(fault), self.outcome.total(fault));
        }
        sheet.fact("copies", differences.copies);
        sheet.fact("not_loaded_yet", self.lag.waiting());
        sheet.fact("lost_before_loading", self.lost());
        sheet.fact("rows_older_than_topic", rows.older);
        sheet.fact("rows_of_an_earlier_topic", differences.earlier_log);
        sheet.fact("rows_of_other_topics", rows.other_topic);
        sheet.fact("unreadable_records", *unreadable);
    }

    fn notes(&self, is_well: bool, zone: &TimeZone) -> Vec<String> {
        let mut notes = vec![self.compared()];
        notes.extend(self.wrong());
        notes.extend(self.aside(zone));
        if is_well {
            notes.push("Nothing is missing, and nothing counts twice.".to_owned());
        }
        notes
    }

    fn compared(&self) -> String {
        let Outcome { records, .. } = self.outcome;
        let topic = &self.scope.topic;
        let is_empty = self.scope.extents.iter().all(|e| e.low == e.end);
        if is_empty && self.lag.waiting() == 0 {
            return format!("Topic {topic} has no record, so there is nothing to compare.");
        }
        if is_empty {
            return format!(
                "Nothing that topic {topic} has is loaded yet, so there is nothing to compare."
            );
        }
        format!(
            "{} of topic {topic} compared with generation {}.",
            plural(*records, "record"),
            self.generation
        )
    }

    fn wrong(&self) -> Vec<String> {
        let differences = &self.outcome.differences;
        let limited = |sample: &Sample<Lone>| {
            let listed = sample.some.len() as u64;
            if listed < sample.total {
                format!(" ({listed} listed)")
            } else {
                String::new()
            }
        };
        let mut notes = Vec::new();
        let Sample { total: missing, .. } = differences.missing;
        if missing > 0 {
            notes.push(format!(
                "{} without a row{}: the group's offsets say that they were loaded. If the tables were \
                 restored or partly emptied, set the group back (docs/operations.md, Backup and restore); \
                 what is loaded twice counts once.",
                plural(missing, "record"),
                limited(&differences.missing)
            ));
        }
        let Sample { total: extra, .. } = differences.extra;
        if extra > 0 {
            notes.push(format!(
                "{} without a record{}: somebody else writes to the table, or another topic of that \
                 name was loaded into it.",
                plural(extra, "row"),
                limited(&differences.extra)
            ));
        }
        for (fault, words) in [
            (
                Fault::TwoDays,
                "under two days: they count twice. Mostly a source's time_zone was changed, which a replay mends; where the network itself sent the id again with another date of the transaction, a replay does not: ask the network which is right",
            ),
            (
                Fault::NoConversion,
                "with an accepted postback and no conversion: their money is in no report. A replay mends it",
            ),
            (
                Fault::WrongRevision,
                "whose row in the view is not their highest revision: see that the view is as `postback migrate` makes it (FINAL inside)",
            ),
        ] {
            let total = self.outcome.total(fault);
            if total > 0 {
                notes.push(format!("{} {words}.", plural(total, "conversion")));
            }
        }
        let lost = self.lost();
        if lost > 0 {
            notes.push(format!(
                "Kafka gave up {} before they were loaded: they are lost. Raise kafka.retention_days and \
                 the topic's retention.ms.",
                plural(lost, "record")
            ));
        }
        notes
    }

    /// What is no fault.
    fn aside(&self, zone: &TimeZone) -> Vec<String> {
        let Outcome {
            unreadable,
            rows,
            differences,
            ..
        } = self.outcome;
        let mut notes = Vec::new();
        let mut note = |count: u64, what: &str, words: &str| {
            if count > 0 {
                notes.push(format!("{} {words}.", plural(count, what)));
            }
        };
        note(
            self.lag.waiting(),
            "record",
            "not loaded yet, and not looked at",
        );
        note(
            differences.copies,
            "record",
            "twice in the topic (sent again by a spool or a client); their row has the place of the other copy",
        );
        note(
            self.outcome.total(Fault::OlderCounts),
            "conversion",
            "counted by a revision that was received before another one, which the network dated earlier: right as it is",
        );
        note(
            rows.older,
            "row",
            "older than the topic keeps: nothing to compare them with",
        );
        note(
            differences.earlier_log,
            "row",
            "older than the topic's oldest record, under offsets that it has: from a topic of that name that was deleted and made again",
        );
        note(
            rows.other_topic,
            "row",
            "from other topics, and not looked at",
        );
        note(
            *unreadable,
            "record",
            "of a version that this program does not read: upgrade it",
        );
        for found in &self.lag.partitions {
            notes.extend(of_earlier_log(found));
        }
        if let Some(horizon) = self.horizon {
            let begins = horizon.begins_at();
            if self.asked_from.is_none_or(|from| from < begins) {
                notes.push(format!(
                    "What was received before {} is not looked at: clickhouse.keep_days drops it.",
                    shown(begins, zone)
                ));
            }
        }
        notes
    }

    fn lost(&self) -> u64 {
        self.lag.partitions.iter().map(PartitionLag::lost).sum()
    }
}

fn of_earlier_log(found: &PartitionLag) -> Option<String> {
    let committed = found
        .committed
        .filter(|committed| *committed > found.high)?;
    Some(format!(
        "Partition {} ends at {}, and the group has read through {committed}: the topic was deleted and \
         made again. A running consumer begins at its beginning; it is not looked at before.",
        found.partition, found.high
    ))
}

fn of_lone(name: &str, lone: &Lone, zone: &TimeZone) -> Vec<Cell> {
    vec![
        Cell::text(name),
        Cell::text(&lone.id),
        Cell::Missing,
        Cell::Missing,
        Cell::Missing,
        Cell::Count(u64::from(lone.partition)),
        Cell::Count(lone.offset),
        Cell::Text(shown_exactly(lone.received_at, zone)),
    ]
}

fn of_key(fault: Fault, found: &KeyFinding, zone: &TimeZone) -> Vec<Cell> {
    let other = (found.other_day != found.key_day).then_some(found.other_day);
    vec![
        Cell::text(name(fault)),
        Cell::text(&found.conversion_key),
        Cell::Text(printable(&found.account)),
        Cell::text(&found.key_day),
        other.map_or(Cell::Missing, |day| Cell::text(&day)),
        Cell::Missing,
        Cell::Missing,
        Cell::Text(shown_exactly(found.received_at, zone)),
    ]
}
