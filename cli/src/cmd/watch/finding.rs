//! What differs from usual, its words and its likeliest cause.

mod endpoint;
mod gap;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use postback_detect::Change;
use serde_json::{Value, json};

pub(super) use endpoint::Endpoint;
pub(super) use gap::{Gap, Lost, What};

/// What an alert is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    /// Nothing comes any more; so many were expected meanwhile.
    Silence { missing: f64 },
    /// Fewer postbacks than usual.
    Volume(Change),
    /// More transactions than usual have no click id.
    Unattributed(Change),
    /// More amounts than usual are zero or missing.
    ZeroAmounts(Change),
    /// More amounts than usual have no minor units.
    WholeAmounts(Change),
    /// More transactions than usual are in one currency.
    Currency { currency: String, change: Change },
    /// More postbacks than usual cannot become conversions.
    Rejects(Change),
    /// Ingest refuses more requests than usual.
    Refusals(Change),
    /// More of one's own orders, or of a statement's, than usual have no postback.
    Gap(Box<Gap>),
    /// The network does not send, or it is not known whether it does.
    Endpoint(Box<Endpoint>),
    /// Records wait in Kafka; Kafka has had the oldest for so long.
    Unread { waiting: u64, seconds: i64 },
}

impl Finding {
    /// As programs read it: in JSON and in labels.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Silence { .. } => "silence",
            Self::Volume(_) => "volume",
            Self::Unattributed(_) => "unattributed",
            Self::ZeroAmounts(_) => "zero_amounts",
            Self::WholeAmounts(_) => "whole_amounts",
            Self::Currency { .. } => "currency",
            Self::Rejects(_) => "rejects",
            Self::Refusals(_) => "refusals",
            Self::Gap(gap) => match gap.what {
                What::Orders => "gap",
                What::Money { .. } => "gap_money",
            },
            Self::Endpoint(endpoint) => endpoint.kind(),
            Self::Unread { .. } => "unread",
        }
    }

    /// What of it, where a source can have several: the currency, the advertiser.
    pub(super) fn detail(&self) -> Option<String> {
        match self {
            Self::Currency { currency, .. } => Some(currency.clone()),
            Self::Gap(gap) => gap.detail(),
            Self::Silence { .. }
            | Self::Volume(_)
            | Self::Unattributed(_)
            | Self::ZeroAmounts(_)
            | Self::WholeAmounts(_)
            | Self::Rejects(_)
            | Self::Refusals(_)
            | Self::Endpoint(_)
            | Self::Unread { .. } => None,
        }
    }

    /// What is wrong, in one sentence.
    pub(super) fn what(&self) -> String {
        let transactions = |rest: &str| format!("of the transactions {rest}");
        match self {
            Self::Silence { missing } => {
                format!("nothing comes; {missing:.1} postbacks were expected meanwhile")
            }
            Self::Volume(change) => counted("postbacks", change),
            Self::Refusals(change) => counted("refused requests", change),
            Self::Unattributed(change) => shared(&transactions("have no click id"), change),
            Self::ZeroAmounts(change) => shared("of the amounts are zero or missing", change),
            Self::WholeAmounts(change) => shared("of the amounts have no minor units", change),
            Self::Currency { currency, change } if currency.is_empty() => {
                shared(&transactions("have no currency"), change)
            }
            Self::Currency { currency, change } => {
                shared(&transactions(&format!("are in {currency}")), change)
            }
            Self::Rejects(change) => shared("of the postbacks are rejected", change),
            Self::Gap(gap) => gap.what(),
            Self::Endpoint(endpoint) => endpoint.what(),
            Self::Unread { waiting, seconds } => unread(*waiting, seconds / 60),
        }
    }

    /// The likeliest cause by what it looks like.
    pub(super) fn cause(&self) -> &'static str {
        match self {
            Self::Silence { .. } => {
                "endpoint: the URL cannot be reached, or the network has switched it off"
            }
            Self::Volume(_) => {
                "deploy: a part of the shop no longer reports, or the network holds postbacks back"
            }
            Self::Unattributed(_) => "identifier: the click id is no longer captured or passed on",
            Self::ZeroAmounts(_) => "field: the amount comes under another name, or not at all",
            Self::WholeAmounts(_) => "field: amounts are rounded, or come in another unit",
            Self::Currency { .. } => "field: the currency is swapped, or a new market has begun",
            Self::Rejects(_) => "field: a parameter that is needed is missing or cannot be read",
            Self::Refusals(_) => "endpoint: the sender's address, key, method or size has changed",
            Self::Gap(gap) => gap.cause(),
            Self::Endpoint(endpoint) => endpoint.cause(),
            Self::Unread { .. } => {
                "loading: the consumer is stopped, slow, or waits for ClickHouse"
            }
        }
    }

    /// The command that shows more of it.
    pub(super) fn look(&self, source: &str, since: Timestamp) -> String {
        let report = |name: &str| {
            let from = days_before(since);
            format!("postback report {name} --source {source} --from {from}")
        };
        match self {
            Self::Silence { .. } => format!("postback send --source {source}"),
            Self::Volume(_) => format!("postback report activity --source {source}"),
            Self::Unattributed(_) => report("unattributed"),
            Self::ZeroAmounts(_) | Self::WholeAmounts(_) | Self::Currency { .. } => {
                report("amounts")
            }
            Self::Rejects(_) => report("rejects"),
            Self::Refusals(_) => format!("postback tail --refused --source {source}"),
            Self::Gap(gap) => gap.look(source, since),
            Self::Endpoint(endpoint) => endpoint.look(source, since),
            Self::Unread { .. } => "postback doctor".to_owned(),
        }
    }

    /// Its numbers, as a program reads them.
    pub(super) fn measured(&self) -> Value {
        match self {
            Self::Volume(change)
            | Self::Refusals(change)
            | Self::Unattributed(change)
            | Self::ZeroAmounts(change)
            | Self::WholeAmounts(change)
            | Self::Currency { change, .. }
            | Self::Rejects(change) => of_change(change),
            Self::Gap(gap) => gap.measured(),
            Self::Endpoint(endpoint) => endpoint.measured(),
            Self::Silence { missing } => json!({"expected": missing, "observed": 0}),
            Self::Unread { waiting, seconds } => json!({"waiting": waiting, "seconds": seconds}),
        }
    }
}

fn of_change(change: &Change) -> Value {
    json!({
        "usual": change.usual,
        "observed": change.observed,
        "low": change.low,
        "high": change.high,
    })
}

fn unread(waiting: u64, minutes: i64) -> String {
    if waiting == 1 {
        return format!("1 record waits in Kafka, for {minutes} minutes");
    }
    format!("{waiting} records wait in Kafka, the oldest for {minutes} minutes")
}

fn counted(what: &str, change: &Change) -> String {
    let percent = |count: f64| format!("{:.0}", 100.0 * count / change.usual);
    format!(
        "{:.0} {what} where {:.1} are usual: {} % ({} to {} %)",
        change.observed,
        change.usual,
        percent(change.observed),
        percent(change.low),
        percent(change.high)
    )
}

fn shared(what: &str, change: &Change) -> String {
    format!(
        "{:.1} % {what} ({:.1} to {:.1} %); {:.1} % are usual",
        100.0 * change.observed,
        100.0 * change.low,
        100.0 * change.high,
        100.0 * change.usual
    )
}

/// The day before the one before, so that what was usual stands beside it.
fn days_before(since: Timestamp) -> String {
    let day = since.to_zoned(TimeZone::UTC).date();
    let earlier = day.checked_sub(Span::new().days(2)).unwrap_or(day);
    earlier.to_string()
}
