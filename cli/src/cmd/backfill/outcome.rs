//! What came of a run, in words and rows.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_healing::backfill::{Finding, Outcome};
use postback_normalise::{Amount, Currency};
use serde_json::{Value, json};

use super::meter::Meter;
use crate::output::{Cell, Sheet, money, number, plural, printable, text};
use crate::range::shown;

/// Under every sum.
const PRELIMINARY: &str = "preliminary: networks settle by their own statements";

pub(super) struct About<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) is_dry: bool,
    pub(super) zone: &'a TimeZone,
}

impl About<'_> {
    pub(super) fn sheet(&self, meter: Meter) -> Sheet {
        let mut sheet = match self.is_dry {
            true => self.listed(meter),
            false => self.summed(),
        };
        self.facts(&mut sheet);
        sheet.notes.extend(self.notes());
        sheet
    }

    /// What would be sent, one by one.
    fn listed(&self, meter: Meter) -> Sheet {
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
        if unlisted > 0 {
            let more = format!("{unlisted} more are not listed: ask for a shorter range");
            sheet.notes.push(more);
        }
        sheet
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
        sheet.fact("preliminary", true);
    }

    fn notes(&self) -> Vec<String> {
        let run = &self.outcome.run;
        let (from, to) = (
            shown(run.range_from, self.zone),
            shown(run.range_to, self.zone),
        );
        let pulled = plural(run.pulled, "transaction");
        let mut notes = vec![match run.pulled {
            0 => format!("The network has no transaction that it processed from {from} to {to}."),
            _ if run.sent() == 0 && run.rejected == 0 => {
                format!("Nothing is missing: the network has {pulled} from {from} to {to}.")
            }
            _ => format!(
                "{pulled} from {from} to {to}: {} as the tables have them, {} missing, {} with other content, {} with a \
                 newer time of the network",
                run.matched, run.missing, run.changed, run.newer
            ),
        }];
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
                "{} the tables have with other content that is newer, or says more: left as it is",
                plural(run.undecided, "transaction")
            ));
        }
        if run.pulled > 0 {
            notes.push(PRELIMINARY.to_owned());
        }
        notes
    }
}
