//! How every report ends: how complete it is.

use jiff::tz::TimeZone;
use postback_store::reports::completeness::Completeness;

use super::PRELIMINARY;
use crate::lag::GroupLag;
use crate::output::{Sheet, plural};
use crate::range::shown;

/// What is loaded, and what waits.
pub(super) struct Footer<'a> {
    pub(super) complete: &'a Completeness,
    /// Kafka's answer, or its words when it did not.
    pub(super) lag: &'a Result<GroupLag, String>,
    pub(super) zone: &'a TimeZone,
    /// Whether the report shows money.
    pub(super) of_money: bool,
    /// Whether the report itself is about what became no conversion.
    pub(super) of_rejects: bool,
}

impl Footer<'_> {
    /// Adds it as facts and as the last notes.
    pub(super) fn add_to(&self, sheet: &mut Sheet) {
        let generation = self.complete.generation;
        let through = self.complete.loaded_through;
        let through = through.map(|moment| shown(moment, self.zone));
        sheet.fact("generation", generation.number());
        sheet.fact("loaded_through", through.clone());
        sheet.fact("rejected_postbacks", self.complete.rejected);
        sheet.fact("waiting", self.lag.as_ref().ok().map(GroupLag::waiting));
        if self.of_money {
            sheet.fact("preliminary", PRELIMINARY);
        }
        if self.complete.rejected > 0 && !self.of_rejects {
            let many = plural(self.complete.rejected, "postback");
            let whose = if self.complete.is_rejected_of_more {
                ", whatever the filters say of conversions"
            } else {
                ""
            };
            sheet.notes.push(format!(
                "{many} received in this range became no conversion{whose}: `postback report rejects` says why"
            ));
        }
        let loaded = match through {
            Some(through) => format!("loaded through {through}"),
            None => "nothing loaded yet".to_owned(),
        };
        let waiting = self.waiting();
        sheet
            .notes
            .push(format!("{loaded}; {waiting}; generation {generation}"));
        if self.of_money {
            sheet.notes.push(PRELIMINARY.to_owned());
        }
    }

    fn waiting(&self) -> String {
        match self.lag {
            Ok(lag) if lag.waiting() == 0 => "nothing waits in Kafka".to_owned(),
            Ok(lag) => format!("{} in Kafka", wait(lag.waiting())),
            Err(words) => format!("how many wait in Kafka is not known ({words})"),
        }
    }
}

fn wait(count: u64) -> String {
    if count == 1 {
        "1 postback waits".to_owned()
    } else {
        format!("{count} postbacks wait")
    }
}
