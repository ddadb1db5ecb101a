//! What was measured, and what it is held against.

use serde::Serialize;

use super::curve::{Paths, Point, RATES};
use super::glrnb::Given;
use super::history::{Kind, Scenario};
use super::silences::{FALSE_ALARMS_A_MONTH, MISSING, Silences};
use crate::bench::host::Host;
use crate::bench::targets::Target;

/// False alarms a month by which `postback watch` sets the threshold of each chart.
const IN_USE: f64 = 0.05;

/// Who looks at the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Method {
    /// Learned from the same past as `glrnb`.
    Ours,
    /// Learned anew every day.
    InUse,
    Glrnb(Given),
    DayAgainstWeek,
}

/// One kind of break in one kind of source.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Breaks {
    pub(super) kind: Kind,
    pub(super) scenario: Scenario,
    pub(super) curves: Vec<(Method, Vec<Point>)>,
    /// A day that differs by 10 % and by 20 % from the one a week before.
    pub(super) fixed: Vec<Point>,
    /// What our chart gives at the threshold that it has in use.
    pub(super) in_use: Option<Point>,
}

impl Breaks {
    pub(super) fn new(kind: Kind, scenario: Scenario, methods: &[(Method, Paths)]) -> Self {
        let find = |wanted| methods.iter().find(|(method, _)| *method == wanted);
        let fixed = find(Method::DayAgainstWeek);
        let ours = find(Method::InUse);
        Self {
            kind,
            scenario,
            curves: methods
                .iter()
                .map(|(method, paths)| (*method, paths.curve()))
                .collect(),
            fixed: fixed.map_or_else(Vec::new, |(_, paths)| {
                [0.1, 0.2].map(|threshold| paths.fixed(threshold)).to_vec()
            }),
            in_use: ours.map(|(_, paths)| paths.fixed(postback_detect::threshold(IN_USE, 24))),
        }
    }

    /// Our delay against `glrnb`'s at a rate of false alarms, learned from the same past; none where
    /// `glrnb` did not run, or does not find most breaks.
    pub(super) fn ratio(&self, rate: f64) -> Option<f64> {
        let yardstick = self.hours(Method::Glrnb(Given::Fitted), rate)?;
        // Not found is worse than any delay.
        Some(self.hours(Method::Ours, rate).unwrap_or(f64::INFINITY) / yardstick)
    }

    /// A method's delay at a rate of false alarms; none if most breaks are not found.
    fn hours(&self, method: Method, rate: f64) -> Option<f64> {
        let (_, points) = self.curves.iter().find(|(other, _)| *other == method)?;
        let index = RATES.iter().position(|other| *other == rate)?;
        points[index].median_hours
    }
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    pub(super) host: Host,
    pub(super) histories: usize,
    pub(super) breaks: Vec<Breaks>,
    pub(super) silences: Vec<Silences>,
    pub(super) targets: Vec<Target>,
}

impl Figures {
    pub(super) fn new(
        host: Host,
        histories: usize,
        breaks: Vec<Breaks>,
        silences: Vec<Silences>,
    ) -> Self {
        let mut targets = Vec::new();
        for rate in [0.1, 1.0] {
            if let Some(worst) = breaks
                .iter()
                .filter_map(|found| found.ratio(rate))
                .reduce(f64::max)
            {
                let what = format!(
                    "delay against glrnb's at {rate} false alarms a month, the worst of all breaks and sources"
                );
                targets.push(Target::new(&what, "×", worst, 1.2));
            }
        }
        let worst = |value: fn(&Silences) -> f64| silences.iter().map(value).fold(0.0, f64::max);
        let possible = silences
            .iter()
            .filter(|silences| silences.at_best <= MISSING);
        targets.push(Target::new(
            "expected but missing postbacks until silence is an alarm, where that can be",
            "",
            possible
                .map(|silences| silences.missing_median)
                .fold(0.0, f64::max),
            MISSING,
        ));
        targets.push(Target::new(
            "false alarms of silence, by source and month",
            "",
            worst(|silences| silences.false_alarms_a_month),
            FALSE_ALARMS_A_MONTH,
        ));
        Self {
            host,
            histories,
            breaks,
            silences,
            targets,
        }
    }
}
