//! A bank of CUSUMs: the generalised likelihood ratio over every moment of change and a grid of
//! sizes.
//!
//! For one size of change the largest log-likelihood ratio over all moments of change is the CUSUM
//! `S = max(0, S + score)`, and the moment is where it last left zero. The largest over a grid of
//! sizes is the GLR statistic, at a cost that does not grow with the time since the change.

use crate::{Chart, DAYS_A_MONTH};

/// The CUSUMs, one for each size of change.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    sums: Vec<f64>,
    /// The first bin of the change, should there be one.
    starts: Vec<usize>,
    /// What the bins since then say about the size of the change.
    information: Vec<f64>,
    /// The variance of the baseline's level, of the same unit as one by the information.
    uncertainty: f64,
}

/// Which size of change fits best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Best {
    pub(crate) alternative: usize,
    /// The log-likelihood ratio in nats: so much likelier is this change than none.
    pub(crate) statistic: f64,
    /// The first bin of the change.
    pub(crate) since: usize,
}

impl Bank {
    /// With no evidence yet before bin `first`.
    pub(crate) fn new(chart: &impl Chart, first: usize) -> Self {
        let alternatives = chart.alternatives();
        Self {
            sums: vec![0.0; alternatives],
            starts: vec![first; alternatives],
            information: vec![0.0; alternatives],
            uncertainty: chart.uncertainty(),
        }
    }

    /// Takes one bin.
    pub(crate) fn step(&mut self, chart: &impl Chart, bin: usize) {
        let information = chart.information(bin);
        for alternative in 0..self.sums.len() {
            self.sums[alternative] += chart.score(alternative, bin);
            self.information[alternative] += information;
            if self.sums[alternative] <= 0.0 {
                self.sums[alternative] = 0.0;
                self.information[alternative] = 0.0;
                self.starts[alternative] = bin + 1;
            }
        }
    }

    pub(crate) fn best(&self) -> Best {
        let mut best = Best {
            alternative: 0,
            statistic: f64::NEG_INFINITY,
            since: 0,
        };
        for (alternative, sum) in self.sums.iter().enumerate() {
            // The longer the stretch, the more of its evidence may be the baseline's own error.
            let statistic = sum / (1.0 + self.uncertainty * self.information[alternative]);
            if statistic > best.statistic {
                best = Best {
                    alternative,
                    statistic,
                    since: self.starts[alternative],
                };
            }
        }
        best
    }
}

/// False alarms of one bin at a statistic of zero: times e⁻ˢ for a statistic s.
///
/// By Wald's inequality a CUSUM of log-likelihood ratios has at most e⁻ˢ a bin. That there are
/// several CUSUMs and that the baseline is estimated makes it up to twice as many in simulated
/// histories (`cargo xtask bench watch`).
const PER_BIN: f64 = 2.0;

/// How many false alarms a month a chart gives that alarms at this statistic.
#[must_use]
pub fn false_alarms_a_month(statistic: f64, bins_a_day: usize) -> f64 {
    bins_a_month(bins_a_day) * PER_BIN * (-statistic).exp()
}

/// The statistic from which a chart alarms, for at most so many false alarms a month.
#[must_use]
pub fn threshold(false_alarms_a_month: f64, bins_a_day: usize) -> f64 {
    (bins_a_month(bins_a_day) * PER_BIN / false_alarms_a_month).ln()
}

fn bins_a_month(bins_a_day: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a day has few bins")]
    let bins = bins_a_day as f64;
    bins * DAYS_A_MONTH
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Alternatives whose scores are written down, with one unit of information in each bin.
    struct Scores<'a>(&'a [&'a [f64]], f64);

    impl Chart for Scores<'_> {
        fn alternatives(&self) -> usize {
            self.0.len()
        }

        fn score(&self, alternative: usize, bin: usize) -> f64 {
            self.0[alternative][bin]
        }

        fn information(&self, _: usize) -> f64 {
            1.0
        }

        fn uncertainty(&self) -> f64 {
            self.1
        }
    }

    fn bests(chart: &Scores<'_>) -> Vec<Best> {
        let mut bank = Bank::new(chart, 0);
        let step = |bin| {
            bank.step(chart, bin);
            bank.best()
        };
        (0..chart.0[0].len()).map(step).collect()
    }

    #[test]
    fn a_cusum_by_hand() {
        let bests = bests(&Scores(&[&[-1.0, 2.0, -0.5, 3.0]], 0.0));
        let path: Vec<f64> = bests.iter().map(|best| best.statistic).collect();
        assert_eq!(path, [0.0, 2.0, 1.5, 4.5]);
        assert_eq!(bests[3].since, 1);
    }

    #[test]
    fn the_best_size_of_change_is_told() {
        let bests = bests(&Scores(&[&[1.0], &[3.0], &[2.0]], 0.0));
        assert_eq!(bests[0].alternative, 1);
    }

    #[test]
    fn an_uncertain_baseline_takes_from_long_stretches() {
        let bests = bests(&Scores(&[&[-1.0, 2.0, 2.0]], 0.5));
        // 2 / (1 + 0.5), then 4 / (1 + 2 · 0.5).
        assert!((bests[1].statistic - 4.0 / 3.0).abs() < 1e-12);
        assert!((bests[2].statistic - 2.0).abs() < 1e-12);
    }

    #[test]
    fn threshold_and_rate_are_inverse() {
        let statistic = threshold(0.1, 24);
        assert!((false_alarms_a_month(statistic, 24) - 0.1).abs() < 1e-12);
        // 30 days of 24 bins, each twice e⁻ˢ.
        assert!((statistic - 14_400_f64.ln()).abs() < 1e-12);
        assert!(statistic < threshold(0.1, 96) && statistic < threshold(0.01, 24));
    }
}
