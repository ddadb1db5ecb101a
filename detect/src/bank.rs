//! A bank of CUSUMs: the generalised likelihood ratio over every moment of change and a grid of
//! sizes.
//!
//! For one size of change the largest log-likelihood ratio over all moments of change is the CUSUM
//! `S = max(0, S + score)`, and the moment is where it last left zero. The largest over a grid of
//! sizes is the GLR statistic, at a cost that does not grow with the time since the change.

use crate::DAYS_A_MONTH;

/// The CUSUMs, one for each size of change.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    sums: Vec<f64>,
    /// The first bin of the change, should there be one.
    starts: Vec<usize>,
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
    pub(crate) fn new(alternatives: usize, first: usize) -> Self {
        Self {
            sums: vec![0.0; alternatives],
            starts: vec![first; alternatives],
        }
    }

    /// Takes one bin; `score` gives each alternative's log-likelihood ratio of it.
    pub(crate) fn step(&mut self, bin: usize, score: impl Fn(usize) -> f64) {
        let sums = self.sums.iter_mut().zip(&mut self.starts);
        for (alternative, (sum, start)) in sums.enumerate() {
            *sum += score(alternative);
            if *sum <= 0.0 {
                *sum = 0.0;
                *start = bin + 1;
            }
        }
    }

    pub(crate) fn best(&self) -> Best {
        let mut best = Best {
            alternative: 0,
            statistic: f64::NEG_INFINITY,
            since: 0,
        };
        for (alternative, (sum, start)) in self.sums.iter().zip(&self.starts).enumerate() {
            if *sum > best.statistic {
                best = Best {
                    alternative,
                    statistic: *sum,
                    since: *start,
                };
            }
        }
        best
    }
}

/// False alarms of one bin at a statistic of zero: times e⁻ˢ for a statistic s. From simulated
/// histories in control (`cargo xtask bench watch`), on the side of caution.
const PER_BIN: f64 = 1.0;

/// How many false alarms a month a chart gives that alarms at this statistic.
///
/// By Wald's inequality a CUSUM of log-likelihood ratios alarms at most e⁻ˢ times a bin by chance.
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

    #[test]
    fn a_cusum_by_hand() {
        let mut bank = Bank::new(1, 0);
        let scores = [-1.0, 2.0, -0.5, 3.0];
        let path: Vec<f64> = scores
            .iter()
            .enumerate()
            .map(|(bin, score)| {
                bank.step(bin, |_| *score);
                bank.best().statistic
            })
            .collect();
        assert_eq!(path, [0.0, 2.0, 1.5, 4.5]);
        assert_eq!(bank.best().since, 1);
    }

    #[test]
    fn the_best_size_of_change_is_told() {
        let mut bank = Bank::new(3, 0);
        bank.step(0, |alternative| [1.0, 3.0, 2.0][alternative]);
        assert_eq!(bank.best().alternative, 1);
    }

    #[test]
    fn threshold_and_rate_are_inverse() {
        let statistic = threshold(0.1, 24);
        assert!((false_alarms_a_month(statistic, 24) - 0.1).abs() < 1e-12);
        assert!(statistic < threshold(0.1, 96) && statistic < threshold(0.01, 24));
    }
}
