//! What all charts of one source share.

use jiff::{SignedDuration, Timestamp};
use postback_detect::{Chart, Episode, false_alarms_a_month, run, threshold};
use postback_store::annotations::Annotation;

use super::Divided;
use crate::cmd::watch::alert::{Alert, Evidence};
use crate::cmd::watch::finding::Finding;
use crate::cmd::watch::history::{BINS_A_DAY, WIDTH, start_of};
use crate::cmd::watch::marks::{self, NEAR};

/// False alarms that each chart of each source may give in a month.
const FALSE_ALARMS: f64 = 0.05;

/// A source, and what its series have in common.
pub(super) struct Frame<'a> {
    pub(super) source: &'a str,
    /// A mark about one of these may be the cause.
    pub(super) about: &'a [String],
    /// Number of the first bin since 1970.
    pub(super) first: u32,
    pub(super) divided: Divided,
    pub(super) annotations: &'a [Annotation],
}

impl Frame<'_> {
    /// A break that a chart has found, one of so many that look for the same.
    pub(super) fn alert(&self, finding: Finding, episode: &Episode, charts: u32) -> Alert {
        let place = self.divided.learned + episode.since;
        let since = start_of(self.first + u32::try_from(place).unwrap_or(0));
        let rate = false_alarms_a_month(episode.statistic, BINS_A_DAY);
        Alert {
            source: self.source.to_owned(),
            finding,
            since,
            evidence: Some(Evidence {
                log_likelihood_ratio: Some(episode.statistic),
                false_alarms_a_month: f64::from(charts) * rate,
            }),
            learning: self.divided.learning,
            near: self.near(since),
        }
    }

    /// The mark of a person that stands nearest before the beginning of a break, or a bin behind it:
    /// the beginning is an estimate.
    pub(super) fn near(&self, since: Timestamp) -> Option<Annotation> {
        let within = since - NEAR..=since + SignedDuration::from_secs(i64::from(WIDTH));
        marks::of_people(self.annotations, self.about, within)
            .min_by_key(|mark| mark.at.duration_since(since).abs())
            .cloned()
    }
}

/// The break that goes on at the end of a chart; so many charts share the false alarms of one.
pub(super) fn open(chart: &impl Chart, bins: usize, charts: u32) -> Option<Episode> {
    let threshold = threshold(FALSE_ALARMS / f64::from(charts.max(1)), BINS_A_DAY);
    let last = run(chart, 0..bins, threshold).pop()?;
    last.over.is_none().then_some(last)
}
