//! What is wrong, since when, how sure, why it may be, and where to look.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_store::annotations::Annotation;
use serde::Serialize;

use super::finding::Finding;
use crate::output::printable;
use crate::range::shown;

/// One break.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alert {
    pub(super) source: String,
    pub(super) finding: Finding,
    /// The estimated beginning.
    pub(super) since: Timestamp,
    /// None where it is no question of chance.
    pub(super) evidence: Option<Evidence>,
    /// The source's own history is short: a pooled model stands in.
    pub(super) learning: bool,
    /// What somebody did about that time.
    pub(super) near: Option<Annotation>,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Evidence {
    /// The logarithm of the likelihood ratio of a break against none, in nats; none for silence.
    pub(super) log_likelihood_ratio: Option<f64>,
    /// How often chance alone gives as much.
    pub(super) false_alarms_a_month: f64,
}

impl Alert {
    /// The same break has the same id in every look.
    pub(super) fn id(&self) -> String {
        let (source, kind) = (&self.source, self.finding.kind());
        match self.finding.detail() {
            Some(detail) => format!("{source}/{kind}/{detail}"),
            None => format!("{source}/{kind}"),
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

    /// The likeliest cause: what was done about that time, else what it looks like.
    pub(super) fn cause(&self, zone: &TimeZone) -> String {
        match &self.near {
            Some(mark) => format!(
                "deploy or change: “{}” was marked at {} by {}",
                printable(&mark.text),
                shown(mark.at, zone),
                printable(&mark.made_by)
            ),
            None => self.finding.cause().to_owned(),
        }
    }

    /// The command that shows more.
    pub(super) fn look(&self) -> String {
        self.finding.look(&self.source, self.since)
    }
}

fn times(rate: f64) -> String {
    if rate < 0.001 {
        "less than 0.001 times".to_owned()
    } else {
        format!("{rate:.3} times")
    }
}
