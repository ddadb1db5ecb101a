//! What became of a run.

use std::path::Path;

use postback_simulator::ledger::line::End;

use super::BEHIND_MS;
use crate::ending::Ending;
use crate::output::{Cell, Sheet, number, plural, text};

pub(super) struct Told<'a> {
    pub(super) end: &'a End,
    pub(super) ledger: &'a Path,
    pub(super) seed: u64,
    pub(super) is_active: bool,
}

impl Told<'_> {
    pub(super) fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(&[text("what", "Postbacks"), number("count", "Count")]);
        let (counts, schedule) = (&self.end.counts, &self.end.schedule);
        let rows = [
            ("planned", counts.planned),
            ("acknowledged", counts.acknowledged),
            ("refused", counts.refused),
            ("without_answer", counts.failed),
            ("kept_back", counts.withheld),
            ("late", schedule.late),
        ];
        sheet.rows = rows
            .map(|(what, count)| vec![Cell::text(what), Cell::Count(count)])
            .to_vec();
        sheet.fact("ledger", self.ledger.display().to_string());
        sheet.fact("seed", self.seed);
        sheet.fact("interrupted", self.end.interrupted);
        sheet.fact("endpoint_active", self.is_active);
        sheet.fact("latest_us", schedule.latest_us);
        sheet.notes = self.notes();
        sheet
    }

    fn notes(&self) -> Vec<String> {
        let End {
            counts, schedule, ..
        } = self.end;
        let latest = u128::from(schedule.latest_us) / 1_000;
        let mut notes = Vec::new();
        if self.is_behind() {
            notes.push(format!(
                "The schedule was not kept: {} of {} began more than 10 ms late, the latest {latest} ms.",
                schedule.late, plural(schedule.attempts, "attempt")
            ));
        } else {
            notes.push(format!(
                "The schedule was kept: the latest attempt began {latest} ms after its time."
            ));
        }
        if counts.withheld > 0 {
            notes.push(format!(
                "The network kept {} back, because the endpoint was disabled or deleted: the ledger says when and by what.",
                plural(counts.withheld, "postback")
            ));
        }
        let ledger = self.ledger.display();
        notes.push(format!(
            "Compare it with the tables: postback simulate verify {ledger}"
        ));
        notes
    }

    fn is_behind(&self) -> bool {
        u128::from(self.end.schedule.latest_us) > BEHIND_MS * 1_000
    }

    pub(super) fn ending(&self) -> Ending {
        let counts = &self.end.counts;
        if self.is_behind() || counts.acknowledged < counts.planned {
            Ending::Found
        } else {
            Ending::Done
        }
    }
}
