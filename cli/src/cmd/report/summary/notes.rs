//! What the figures do not show, in words.

use postback_store::reports::summary::{DateBy, Filter, Summary, SummaryQuery};

use crate::output::plural;
use crate::range::shown;

/// What to look at where there is nothing to see.
pub(super) fn nothing(asked: &SummaryQuery) -> Vec<String> {
    let (from, to) = (shown(asked.from, &asked.zone), shown(asked.to, &asked.zone));
    let verb = match asked.date_by {
        DateBy::Occurred => "occurred",
        DateBy::Processed => "was processed",
        DateBy::Received => "was received",
    };
    let filtered = if asked.only == Filter::default() {
        ""
    } else {
        " under these filters"
    };
    let remedy = "Check the range (--from, --to, --date-by), then `postback doctor`: \
                  do postbacks arrive, and are they loaded?";
    vec![
        format!("No conversion {verb} from {from} until {to}{filtered}."),
        remedy.to_owned(),
    ]
}

/// What is in none of the figures, and why.
pub(super) fn outside(found: &Summary, date: DateBy) -> Vec<String> {
    let undated = match date {
        DateBy::Occurred => "whose date of sale is missing: outside of every range",
        DateBy::Processed => "whose date of processing is missing: outside of every range",
        DateBy::Received => "without a date: outside of every range",
    };
    let unknown = "whose parameter for signals is missing or unreadable: summed nowhere";
    let all = [
        (found.unknown, unknown),
        (
            found.without_currency,
            "whose currency is missing or unknown: counted, but their money is in no sum",
        ),
        (found.rejected, "rejected by the network: summed nowhere"),
        (found.undated, undated),
    ];
    let present = all.into_iter().filter(|(count, _)| *count > 0);
    present
        .map(|(count, why)| format!("{} {why}", plural(count, "conversion")))
        .collect()
}
