//! What the figures do not show, in words.

use postback_store::reports::question::DateBy;
use postback_store::reports::summary::Summary;

use crate::output::plural;

/// What is in none of the figures, and why.
pub(super) fn outside(found: &Summary, date: DateBy) -> Vec<String> {
    let unknown = "whose parameter for signals is missing or unreadable: summed nowhere";
    let all = [
        (found.unknown, unknown),
        (
            found.without_currency,
            "whose currency is missing or unknown: counted, but their money is in no sum",
        ),
        (found.rejected, "rejected by the network: summed nowhere"),
        (found.undated, undated(date)),
    ];
    let present = all.into_iter().filter(|(count, _)| *count > 0);
    present
        .map(|(count, why)| format!("{} {why}", plural(count, "conversion")))
        .collect()
}

const fn undated(date: DateBy) -> &'static str {
    match date {
        DateBy::Occurred => "whose date of sale is missing: outside of every range",
        DateBy::Processed => "whose date of processing is missing: outside of every range",
        DateBy::Received => "without a date: outside of every range",
    }
}
