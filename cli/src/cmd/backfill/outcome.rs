//! What came of a run, in words and rows.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_healing::backfill::{Finding, Outcome};
use postback_normalise::{Amount, Currency};
use serde_json::{Value, json};

use super::meter::Meter;
use crate::cmd::report::PRELIMINARY;
use crate::output::{Cell, Sheet, money, number, plural, printable, text};
use crate::range::shown;

pub(super) struct About<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) is_dry: bool,
    pub(super) zone: &'a TimeZone,
}

impl About<'_> {
    /// Beside it, how many findings more there are than it lists.
    pub(super) fn sheet(&self, meter: Meter) -> (Sheet, u64) {
        let (mut sheet, unlisted) = match self.is_dry {
            true => self.listed(meter),
            false => (self.summed(), 0),
        };
        self.facts(&mut sheet);
        sheet.notes.extend(self.notes());
        (sheet, unlisted)
    }

    /// What would be sent, one by one.
    fn listed(&self, meter: Meter) -> (Sheet, u64) {
        let mut sheet = Sheet::new(&[
            text("why", "Why"),
            text("processed_at", "Processed"),
            text("transaction_id", "Transaction"),
            text("order_id", "Order"),
            text("click_id", "Click"),
            text("kind", "Kind"),
            text("occurred_at", "Occurred"),
            number("sale_amount", "Sale"),
            text("currency", "Currency"),
            number("commission", "Commission"),
            text("commission_currency", "In"),
        ]);
        let (mut found, unlisted) = meter.into_findings();
        found.sort_by(|one, other| {
            let order = |finding: &Finding| (finding.processed_at, finding.transaction_id.clone());
            order(one).cmp(&order(other))
        });
        sheet.rows = found.iter().map(|finding| self.row(finding)).collect();
        (sheet, unlisted)
    }

    fn row(&self, finding: &Finding) -> Vec<Cell> {
        let time =
            |at: Option<Timestamp>| at.map_or(Cell::Missing, |at| Cell::Text(shown(at, self.zone)));
        let amount = |amount: Option<Amount>| {
            amount.map_or(Cell::Missing, |amount| Cell::Money(amount.units().into()))
        };
        let code = |currency: Option<Currency>| {
            currency.map_or(Cell::Missing, |currency| Cell::text(currency.as_str()))
        };
        let words = |text: &str| Cell::Text(printable(text));
        vec![
            Cell::text(finding.why.as_str()),
            time(finding.processed_at),
            words(&finding.transaction_id),
            words(&finding.order_id),
            words(&finding.click_id),
            finding
                .kind
                .map_or(Cell::Missing, |kind| Cell::text(kind.as_str())),
            time(finding.occurred_at),
            amount(finding.sale_amount),
            code(finding.currency),
            amount(finding.commission),
            code(finding.commission_currency),
        ]
    }

    /// What was sent, in sums.
    fn summed(&self) -> Sheet {
        let mut sheet = Sheet::new(&[
            text("why", "Sent because"),
            text("kind", "Kind"),
            text("currency", "Currency"),
            number("transactions", "Transactions"),
            number("sale_amount", "Sales"),
            number("commission", "Commission"),
        ]);
        let mut totals: Vec<_> = self.outcome.run.totals.iter().collect();
        totals.sort();
        sheet.rows = totals
            .into_iter()
            .map(|total| {
                vec![
                    Cell::text(&total.why),
                    Cell::text(&total.kind),
                    Cell::text(&total.currency),
                    Cell::Count(total.transactions),
                    Cell::Money(total.sale_amount.0),
                    Cell::Money(total.commission.0),
                ]
            })
            .collect();
        sheet
    }

    fn facts(&self, sheet: &mut Sheet) {
        let run = &self.outcome.run;
        sheet.fact("source", run.source.as_str());
        sheet.fact("from", shown(run.range_from, self.zone));
        sheet.fact("to", shown(run.range_to, self.zone));
        sheet.fact("dry_run", self.is_dry);
        sheet.fact("is_finished", run.is_finished);
        sheet.fact("done_through", shown(self.reached(), self.zone));
        let counts = [
            ("pulled", run.pulled),
            ("matched", run.matched),
            ("missing", run.missing),
            ("changed", run.changed),
            ("newer", run.newer),
            ("undecided", run.undecided),
            ("rejected", run.rejected),
            ("superseded", run.superseded),
        ];
        for (name, count) in counts {
            sheet.fact(name, count);
        }
        let lacked = run.lacked().into_iter().map(|(currency, lacked)| {
            json!({
                "currency": currency,
                "transactions": lacked.transactions,
                "sale_amount": money(lacked.sale_amount.0),
                "commission": money(lacked.commission.0),
            })
        });
        sheet.fact("lacked", lacked.collect::<Vec<Value>>());
        sheet.fact("preliminary", PRELIMINARY);
    }

    /// How far the range was read: more is asked for on either side.
    fn reached(&self) -> Timestamp {
        let run = &self.outcome.run;
        match run.is_finished {
            true => run.range_to,
            false => run.done_through.clamp(run.range_from, run.range_to),
        }
    }

    /// What was found in what was read.
    fn counted(&self) -> String {
        let run = &self.outcome.run;
        let from = shown(run.range_from, self.zone);
        let to = shown(self.reached(), self.zone);
        let pulled = plural(run.pulled, "transaction");
        match run.pulled {
            0 => format!("The network has no transaction that it processed from {from} to {to}."),
            _ if run.sent() == 0 && run.rejected == 0 => {
                format!("Nothing is missing: the network has {pulled} from {from} to {to}.")
            }
            _ => format!(
                "{pulled} from {from} to {to}: {} as the tables have them, {} missing, {} with other content, {} with a \
                 newer time of the network",
                run.matched, run.missing, run.changed, run.newer
            ),
        }
    }

    /// That it is not all, and what of it is read.
    fn unfinished(&self) -> String {
        let run = &self.outcome.run;
        let [from, to, reached] =
            [run.range_from, run.range_to, self.reached()].map(|at| shown(at, self.zone));
        let read = match self.reached() > run.range_from {
            true => format!("read from {from} to {reached} of a range that ends at {to}"),
            false => format!("nothing of the range from {from} to {to} is read"),
        };
        let next = match self.is_dry {
            true => "run it again to see all of it".to_owned(),
            false => format!("run it again with --from {from}, and it goes on from there"),
        };
        format!("Not finished: {read}; {next}.")
    }

    fn notes(&self) -> Vec<String> {
        let run = &self.outcome.run;
        let mut notes = Vec::new();
        if !run.is_finished {
            notes.push(self.unfinished());
        }
        // Of what was not read nothing is said.
        let has_found = run.sent() + run.rejected > 0;
        if run.is_finished || has_found || self.reached() > run.range_from {
            notes.push(self.counted());
        }
        if run.sent() > 0 {
            notes.push(match self.is_dry {
                true => "Nothing was sent: without --dry-run these go to Kafka, and count once."
                    .to_owned(),
                false => "They are in Kafka, and in the tables once they are loaded.".to_owned(),
            });
        }
        for (currency, lacked) in run.lacked() {
            notes.push(format!(
                "Missing in {}: {}, sales {}, commission {}",
                if currency.is_empty() {
                    "an unknown currency"
                } else {
                    currency
                },
                plural(lacked.transactions, "transaction"),
                money(lacked.sale_amount.0),
                money(lacked.commission.0)
            ));
        }
        if run.rejected > 0 {
            notes.push(format!(
                "{} can be no conversion by the source's rules; sent once, and listed by `postback report rejects`",
                plural(run.rejected, "transaction")
            ));
        }
        if run.undecided > 0 {
            notes.push(format!(
                "{} the tables have with other content that is newer, or says more, or keep no longer: left as it is",
                plural(run.undecided, "transaction")
            ));
        }
        if run.superseded > 0 {
            notes.push(format!(
                "{} of an older content than another one that was fetched with it: only the newest counts",
                plural(run.superseded, "transaction")
            ));
        }
        if run.pulled > 0 {
            notes.push(PRELIMINARY.to_owned());
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use postback_store::backfills::Backfill;

    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-09-01T{time}:00Z").parse().unwrap()
    }

    /// A run of the time from 10:00 to 12:00.
    fn run(done_through: &str, pulled: u64, is_finished: bool) -> Backfill {
        Backfill {
            id: uuid::Uuid::from_u128(1),
            step: 1,
            source: "s".to_owned(),
            range_from: at("10:00"),
            range_to: at("12:00"),
            started_at: at("13:00"),
            done_through: at(done_through),
            pulled,
            matched: pulled,
            missing: 0,
            changed: 0,
            newer: 0,
            undecided: 0,
            rejected: 0,
            superseded: 0,
            totals: Vec::new(),
            is_finished,
            made_by: String::new(),
            recorded_at: at("13:00"),
        }
    }

    fn notes(run: Backfill, is_dry: bool) -> Vec<String> {
        let outcome = Outcome {
            went_on_at: None,
            was_stopped: !run.is_finished,
            run,
        };
        let about = About {
            outcome: &outcome,
            is_dry,
            zone: &TimeZone::UTC,
        };
        about.notes()
    }

    #[test]
    fn a_run_that_did_not_end_says_how_far_it_came_and_no_more() {
        let nothing = notes(run("09:50", 0, false), false);
        assert_eq!(
            nothing,
            [
                "Not finished: nothing of the range from 2026-09-01T10:00:00Z to 2026-09-01T12:00:00Z is read; \
              run it again with --from 2026-09-01T10:00:00Z, and it goes on from there."
            ]
        );
        let begun = "Not finished: read from 2026-09-01T10:00:00Z to 2026-09-01T11:00:00Z of a range that ends at \
             2026-09-01T12:00:00Z;";
        for (pulled, is_dry, next, counted) in [
            (
                0,
                false,
                "run it again with --from 2026-09-01T10:00:00Z, and it goes on from there.",
                "The network has no transaction that it processed from 2026-09-01T10:00:00Z to 2026-09-01T11:00:00Z.",
            ),
            (
                3,
                true,
                "run it again to see all of it.",
                "Nothing is missing: the network has 3 transactions from 2026-09-01T10:00:00Z to 2026-09-01T11:00:00Z.",
            ),
        ] {
            let notes = notes(run("11:00", pulled, false), is_dry);
            assert_eq!(notes[..2], [format!("{begun} {next}"), counted.to_owned()]);
        }
        // The whole range, but not the margin behind it.
        let late = notes(run("12:05", 1, false), false);
        assert!(late[0].starts_with("Not finished"), "{late:?}");
        // The end of the margin is not the end of the range.
        let all = notes(run("12:10", 0, true), false);
        assert_eq!(
            all,
            [
                "The network has no transaction that it processed from 2026-09-01T10:00:00Z to 2026-09-01T12:00:00Z."
            ]
        );
    }

    #[test]
    fn what_was_fetched_adds_up() {
        let more = Backfill {
            pulled: 21,
            matched: 1,
            missing: 2,
            changed: 3,
            newer: 4,
            undecided: 5,
            superseded: 6,
            ..run("12:10", 0, true)
        };
        let notes = notes(more, false).join("\n");
        for words in [
            "21 transactions from",
            "1 as the tables have them, 2 missing, 3 with other content, 4 with a newer time",
            "5 transactions the tables have with other content that is newer",
            "6 transactions of an older content than another one that was fetched with it",
        ] {
            assert!(notes.contains(words), "{words}: {notes}");
        }
    }
}
