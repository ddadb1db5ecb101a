//! What is wrong, since when, how sure, why it may be, and where to look.

use jiff::Timestamp;
use postback_detect::Change;
use postback_store::annotations::Annotation;
use serde::Serialize;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Nothing comes any more.
    Silence,
    /// Fewer postbacks than usual.
    Volume,
    /// More transactions than usual have no click id.
    Unattributed,
    /// More amounts than usual are zero or missing.
    ZeroAmounts,
    /// More amounts than usual have no minor units.
    WholeAmounts,
    /// More transactions than usual are in one currency.
    Currency,
    /// More postbacks than usual cannot become conversions.
    Rejects,
    /// Ingest refuses more requests than usual.
    Refusals,
    /// Postbacks wait in Kafka and are not loaded.
    Unread,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Volume => "volume",
            Self::Unattributed => "unattributed",
            Self::ZeroAmounts => "zero_amounts",
            Self::WholeAmounts => "whole_amounts",
            Self::Currency => "currency",
            Self::Rejects => "rejects",
            Self::Refusals => "refusals",
            Self::Unread => "unread",
        }
    }
}

/// One break.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alert {
    pub(super) source: String,
    pub(super) kind: Kind,
    /// What of it: the currency.
    pub(super) detail: Option<String>,
    /// The estimated beginning.
    pub(super) since: Timestamp,
    pub(super) measured: Measured,
    /// So many nats likelier is a break than none; none where it is no question of chance.
    pub(super) evidence: Option<Evidence>,
    /// The source's own history is short: a pooled model stands in.
    pub(super) learning: bool,
    /// What somebody did about that time.
    pub(super) near: Option<Annotation>,
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Measured {
    Count(Change),
    Share(Change),
    /// Expected and missing.
    Missing(f64),
    /// Waiting, and for how many seconds.
    Waiting(u64, i64),
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Evidence {
    /// The logarithm of the likelihood ratio, in nats; none for silence.
    pub(super) log_likelihood_ratio: Option<f64>,
    /// How often chance alone gives as much.
    pub(super) false_alarms_a_month: f64,
}

impl Alert {
    /// The same break has the same id in every look.
    pub(super) fn id(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}/{}/{detail}", self.source, self.kind.as_str()),
            None => format!("{}/{}", self.source, self.kind.as_str()),
        }
    }

    /// What is wrong, in one sentence.
    pub(super) fn what(&self) -> String {
        let detail = self.detail.as_deref().unwrap_or_default();
        match (self.kind, self.measured) {
            (Kind::Silence, Measured::Missing(missing)) => {
                format!("nothing comes; {missing:.1} postbacks were expected meanwhile")
            }
            (Kind::Unread, Measured::Waiting(waiting, seconds)) => format!(
                "{waiting} records wait in Kafka, the oldest for {} minutes",
                seconds / 60
            ),
            (_, Measured::Count(change)) => {
                let (low, high) = (
                    percent(change.low / change.usual),
                    percent(change.high / change.usual),
                );
                let what = match self.kind {
                    Kind::Refusals => "refused requests",
                    _ => "postbacks",
                };
                format!(
                    "{:.0} {what} where {:.1} are usual: {} % ({low} to {high} %)",
                    change.observed,
                    change.usual,
                    percent(change.ratio())
                )
            }
            (_, Measured::Share(change)) => {
                let what = match self.kind {
                    Kind::Unattributed => "of the transactions have no click id".to_owned(),
                    Kind::ZeroAmounts => "of the amounts are zero or missing".to_owned(),
                    Kind::WholeAmounts => "of the amounts have no minor units".to_owned(),
                    Kind::Currency => format!("of the transactions are in {detail}"),
                    _ => "of the postbacks are rejected".to_owned(),
                };
                format!(
                    "{:.1} % {what} ({:.1} to {:.1} %); {:.1} % are usual",
                    100.0 * change.observed,
                    100.0 * change.low,
                    100.0 * change.high,
                    100.0 * change.usual
                )
            }
            (_, Measured::Missing(missing)) => format!("{missing:.1} postbacks are missing"),
            (_, Measured::Waiting(waiting, _)) => format!("{waiting} records wait"),
        }
    }

    /// How sure, in words.
    pub(super) fn how_sure(&self) -> String {
        let learning = if self.learning {
            "; learning: history is shorter than three weeks"
        } else {
            ""
        };
        match self.evidence {
            Some(evidence) => format!(
                "by chance {} a month{learning}",
                times(evidence.false_alarms_a_month)
            ),
            None => format!("certain{learning}"),
        }
    }

    /// The likeliest cause by what it looks like.
    pub(super) fn cause(&self) -> String {
        if let Some(mark) = &self.near {
            return format!(
                "deploy or change: “{}” was marked at {} by {}",
                mark.text, mark.at, mark.made_by
            );
        }
        match self.kind {
            Kind::Silence => {
                "endpoint: the URL cannot be reached, or the network has switched it off"
            }
            Kind::Volume => {
                "deploy: a part of the shop no longer reports, or the network holds postbacks back"
            }
            Kind::Unattributed => "identifier: the click id is no longer captured or passed on",
            Kind::ZeroAmounts => "field: the amount comes under another name, or not at all",
            Kind::WholeAmounts => "field: amounts are rounded, or come in another unit",
            Kind::Currency => "field: the currency is swapped, or a new market has begun",
            Kind::Rejects => "field: a parameter that is needed is missing or cannot be read",
            Kind::Refusals => "endpoint: the sender's address, key, method or size has changed",
            Kind::Unread => "loading: the consumer is stopped, slow, or waits for ClickHouse",
        }
        .to_owned()
    }

    /// The command that shows more.
    pub(super) fn look(&self) -> String {
        let source = &self.source;
        match self.kind {
            Kind::Silence => format!("postback send --source {source}"),
            Kind::Volume => format!("postback report activity --source {source}"),
            Kind::Unattributed => {
                format!("postback report unattributed --source {source} --from 2d")
            }
            Kind::ZeroAmounts | Kind::WholeAmounts | Kind::Currency => {
                format!("postback report amounts --source {source} --from 2d")
            }
            Kind::Rejects => format!("postback report rejects --source {source} --from 2d"),
            Kind::Refusals => format!(
                "SELECT refused_at, reason, remote FROM refusals WHERE source = '{source}' ORDER BY refused_at DESC LIMIT 20"
            ),
            Kind::Unread => "postback doctor".to_owned(),
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.0}", 100.0 * share)
}

fn times(rate: f64) -> String {
    if rate < 0.001 {
        "less than 0.001 times".to_owned()
    } else {
        format!("{rate:.3} times")
    }
}
