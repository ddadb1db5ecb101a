//! Delay against false alarms: a threshold is swept over the statistics of many histories.

use postback_detect::DAYS_A_MONTH;
use serde::Serialize;

use super::history::{CONTROL_DAYS, History, float};

/// Rates of false alarms, by source and month, at which delays are compared.
pub(super) const RATES: [f64; 5] = [0.1, 0.2, 0.5, 1.0, 2.0];

/// The statistics of one method: in control, and through breaks.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    pub(super) in_control: Vec<Vec<f64>>,
    /// The hour of the break within the path, and the path.
    pub(super) broken: Vec<(usize, Vec<f64>)>,
}

/// Half of the breaks are found within `hours`, at this rate of false alarms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Point {
    /// Histories without a break that alarm, as a rate by source and month.
    pub(super) false_alarms_a_month: f64,
    pub(super) threshold: f64,
    /// From the break to the end of the hour that alarms; none where most breaks are not found.
    pub(super) median_hours: Option<f64>,
    pub(super) found: f64,
}

impl Paths {
    pub(super) fn push_broken(&mut self, history: &History, path: Vec<f64>) {
        let hour = history.broken.unwrap_or(History::WATCHED) - History::WATCHED;
        self.broken.push((hour, path));
    }

    /// The curve: for each of [`RATES`] the threshold that gives it, and the delay there.
    pub(super) fn curve(&self) -> Vec<Point> {
        let mut highest: Vec<f64> = self.in_control.iter().map(|path| highest(path)).collect();
        highest.sort_by(f64::total_cmp);
        let point = |rate: f64| {
            let alarmed = 1.0 - (-rate * months()).exp();
            let threshold = quantile(&highest, 1.0 - alarmed);
            self.at(threshold, rate)
        };
        RATES.map(point).to_vec()
    }

    /// What a fixed threshold gives; each time that it is crossed is an alarm.
    pub(super) fn fixed(&self, threshold: f64) -> Point {
        let crossings = |path: &Vec<f64>| {
            let above = path
                .windows(2)
                .filter(|pair| pair[0] < threshold && pair[1] >= threshold);
            above.count() + usize::from(path.first().is_some_and(|first| *first >= threshold))
        };
        let alarms: usize = self.in_control.iter().map(crossings).sum();
        let watched = months() * float(self.in_control.len());
        self.at(threshold, float(alarms) / watched.max(f64::MIN_POSITIVE))
    }

    fn at(&self, threshold: f64, false_alarms_a_month: f64) -> Point {
        let delays = self.broken.iter().map(|(broken, path)| {
            let mut after = path[*broken..].iter();
            let hours = after.position(|statistic| *statistic >= threshold);
            hours.map_or(f64::INFINITY, |hours| float(hours) + 1.0)
        });
        let mut delays: Vec<f64> = delays.collect();
        delays.sort_by(f64::total_cmp);
        let found = delays.iter().filter(|delay| delay.is_finite()).count();
        Point {
            false_alarms_a_month,
            threshold,
            median_hours: median(&delays),
            found: float(found) / float(delays.len()).max(1.0),
        }
    }
}

/// The median of delays that are told in whole hours: one of three hours lies anywhere between two and
/// three, and those of one hour lie in it evenly. None where most breaks are not found.
fn median(sorted: &[f64]) -> Option<f64> {
    let middle = *sorted.get(sorted.len() / 2)?;
    let below = sorted.partition_point(|delay| *delay < middle);
    let within = sorted.partition_point(|delay| *delay <= middle) - below;
    let part = (float(sorted.len()) / 2.0 - float(below)) / float(within);
    middle.is_finite().then_some(middle - 1.0 + part)
}

fn months() -> f64 {
    float(CONTROL_DAYS) / DAYS_A_MONTH
}

fn highest(path: &[f64]) -> f64 {
    path.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// Between two values it lies in proportion.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::INFINITY;
    };
    let place = share.clamp(0.0, 1.0) * float(last);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index below the length"
    )]
    let below = place as usize;
    let rest = place - float(below);
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    if rest > 0.0 {
        low + rest * (high - low)
    } else {
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_and_false_alarms_are_counted() {
        let paths = Paths {
            in_control: vec![vec![0.0, 3.0, 0.0, 4.0], vec![0.0; 4]],
            broken: vec![
                (1, vec![9.0, 0.0, 0.0, 5.0]),
                (0, vec![5.0, 0.0]),
                (0, vec![0.0; 9]),
            ],
        };
        let fixed = paths.fixed(2.0);
        // Two alarms in two times 14 days.
        assert!((fixed.false_alarms_a_month - 2.0 / (28.0 / 30.0)).abs() < 1e-9);
        // Found after 3 hours, after 1 hour, never: the middle of the third hour.
        assert_eq!(fixed.median_hours, Some(2.5));
        assert!((fixed.found - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_median_of_whole_hours_lies_within_one() {
        // Two of ten before the third hour, six in it: half are reached after three sixths of it.
        let delays = [1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 4.0, f64::INFINITY];
        assert_eq!(median(&delays), Some(2.5));
        assert_eq!(median(&[1.0, f64::INFINITY, f64::INFINITY]), None);
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_quantile_lies_between() {
        assert!((quantile(&[1.0, 2.0, 4.0], 0.75) - 3.0).abs() < 1e-12);
        assert!((quantile(&[1.0, 2.0, 4.0], 1.0) - 4.0).abs() < 1e-12);
    }
}
