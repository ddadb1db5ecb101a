//! How surprising it is that nothing comes.
//!
//! Silence is measured in what would have come meanwhile. If events came at random at a known rate,
//! a silence of m expected events had the probability e⁻ᵐ. Real ones come in bursts, so the silences
//! of the past say how much longer they get: each is taken as an interval of a Poisson process whose
//! rate itself varies (a gamma distribution, so that silences follow a Lomax distribution), and how
//! much it varies is weighed by how well it explains the long ones.

use crate::DAYS_A_MONTH;

/// Silences above this many expected events are the ones that teach something about long ones.
const LONG: f64 = 3.0;

/// How much the rate may vary: its squared coefficient of variation.
const VARIATIONS: [f64; 16] = [
    0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1.5,
];

/// Beforehand a rate that does not vary is this likely.
const STEADY: f64 = 0.7;

/// By how much more variation becomes e times less likely beforehand.
const RARER: f64 = 0.1;

/// The expectation of single hours is known from history alone, which makes silences that are long by
/// it so many times as frequent (`cargo xtask bench watch`).
const CAUTION: f64 = 1.6;

/// What is known of the silences of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    /// Silences above [`LONG`] in a month.
    long_a_month: f64,
    /// The probability of each of [`VARIATIONS`].
    weights: Vec<f64>,
    uncertainty: f64,
}

impl Silence {
    /// Learns from the silences of the past: for each the number of events that were expected
    /// between one event and the next, over so many days. Those that a break explains are left out
    /// by the caller.
    ///
    /// `events_a_month` is what is expected now, and `uncertainty` the relative variance of what is
    /// expected of an hour: what was learned from these very silences is known less well of those
    /// to come.
    #[must_use]
    pub fn learn(silences: &[f64], days: f64, events_a_month: f64, uncertainty: f64) -> Self {
        let long = silences.iter().filter(|silence| **silence > LONG);
        let logs: Vec<f64> = VARIATIONS
            .iter()
            .map(|variation| {
                let likelihood: f64 = long
                    .clone()
                    .map(|silence| density(*silence, *variation))
                    .sum();
                likelihood + prior(*variation)
            })
            .collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let count = u32::try_from(long.count()).map_or(f64::MAX, f64::from);
        // A month of silences as chance gives them stands beside what was seen.
        let chance = events_a_month * (-LONG).exp();
        let months = days / DAYS_A_MONTH;
        Self {
            long_a_month: ((count + chance) / (months + 1.0)).max(chance),
            weights: weights.iter().map(|weight| weight / sum).collect(),
            uncertainty,
        }
    }

    /// How many silences of at least so many expected events come by chance in a month.
    #[must_use]
    pub fn false_alarms_a_month(&self, missing: f64) -> f64 {
        let longer = self.weights.iter().zip(VARIATIONS);
        let share: f64 = longer
            .map(|(weight, variation)| {
                weight * survival(missing.max(LONG), variation + self.uncertainty)
            })
            .sum();
        CAUTION * self.long_a_month * share
    }

    /// From how many expected but missing events on silence is an alarm, for at most so many false
    /// alarms a month.
    #[must_use]
    pub fn threshold(&self, false_alarms_a_month: f64) -> f64 {
        let (mut low, mut high) = (LONG, 1_000.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if self.false_alarms_a_month(middle) > false_alarms_a_month {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}

/// ln of how likely a variation is before anything has been seen.
fn prior(variation: f64) -> f64 {
    if variation <= 0.0 {
        return STEADY.ln();
    }
    let others = VARIATIONS.iter().skip(1);
    let sum: f64 = others.map(|variation| (-variation / RARER).exp()).sum();
    ((1.0 - STEADY) / sum).ln() - variation / RARER
}

/// The probability that a silence above [`LONG`] lasts at least so long.
fn survival(silence: f64, variation: f64) -> f64 {
    let beyond = silence - LONG;
    if variation <= 0.0 {
        return (-beyond).exp();
    }
    (-(variation * beyond / (1.0 + variation * LONG)).ln_1p() / variation).exp()
}

/// ln of the density of a silence above [`LONG`].
fn density(silence: f64, variation: f64) -> f64 {
    let beyond = silence - LONG;
    if variation <= 0.0 {
        return -beyond;
    }
    let scale = 1.0 + variation * LONG;
    -(1.0 / variation + 1.0) * (variation * beyond / scale).ln_1p() - scale.ln()
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn exponential(random: &mut ChaCha8Rng) -> f64 {
        -(1.0 - random.random::<f64>()).ln()
    }

    /// 1,000 events a day for 56 days.
    const EVENTS: usize = 56_000;
    const A_MONTH: f64 = 30_000.0;

    #[test]
    fn at_random_it_alarms_where_the_formula_says() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let silences: Vec<f64> = (0..EVENTS).map(|_| exponential(&mut random)).collect();
        let threshold = Silence::learn(&silences, 56.0, A_MONTH, 0.0).threshold(0.1);
        // 30,000 a month, each with e⁻ᵐ: ln 300,000 = 12.61, and ln 1.6 of caution.
        assert!((12.6..13.4).contains(&threshold), "{threshold}");
    }

    #[test]
    fn bursts_make_long_silences_less_surprising() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let quiet: Vec<f64> = (0..EVENTS).map(|_| exponential(&mut random)).collect();
        let bursts: Vec<f64> = quiet
            .iter()
            .map(|silence| {
                if random.random_bool(0.3) {
                    2.2 * silence
                } else {
                    0.49 * silence
                }
            })
            .collect();
        let threshold = Silence::learn(&bursts, 56.0, A_MONTH, 0.0).threshold(0.1);
        assert!(threshold > 18.0, "{threshold}");
    }

    #[test]
    fn a_small_source_alarms_earlier() {
        let silence = Silence::learn(&[], 0.0, 1_000.0, 0.0);
        let large = Silence::learn(&[], 0.0, 30_000.0, 0.0);
        assert!(silence.threshold(0.1) < large.threshold(0.1));
        assert!(silence.false_alarms_a_month(5.0) > silence.false_alarms_a_month(9.0));
    }

    #[test]
    fn survival_is_what_is_left_of_the_density() {
        // By the trapezium rule.
        for variation in [0.0, 0.1, 0.5] {
            let step = 0.001;
            let beyond: f64 = (0..7_000)
                .map(|index| {
                    step * density(LONG + step * (f64::from(index) + 0.5), variation).exp()
                })
                .sum();
            assert!((1.0 - beyond - survival(LONG + 7.0, variation)).abs() < 1e-5);
        }
    }

    #[test]
    fn long_silences_that_were_seen_stand_beside_a_month_of_chance() {
        let a_month = |long: usize, days: f64| {
            let silences = [vec![4.0; long], vec![2.0; 500]].concat();
            let learned = Silence::learn(&silences, days, 1_000.0, 0.0);
            // Everything that is long lasts at least as long as that.
            assert_eq!(
                learned.false_alarms_a_month(0.0),
                learned.false_alarms_a_month(LONG)
            );
            learned.false_alarms_a_month(LONG) / CAUTION
        };
        // 1,000 e⁻³ a month.
        let chance = 49.787;
        for (long, days, expected) in [
            (0, 0.0, chance),
            (0, 60.0, chance),
            (100, 30.0, (100.0 + chance) / 2.0),
            (900, 90.0, (900.0 + chance) / 4.0),
        ] {
            let found = a_month(long, days);
            assert!(
                (found / expected - 1.0).abs() < 1e-4,
                "{long} in {days} days: {found}"
            );
        }
    }

    #[test]
    fn what_is_known_less_well_alarms_later() {
        let threshold = |uncertainty| Silence::learn(&[], 0.0, 1_000.0, uncertainty).threshold(0.1);
        assert!(threshold(0.01) > threshold(0.0) + 0.1);
        assert!(threshold(0.05) > threshold(0.01) + 0.5);
    }

    #[test]
    fn at_the_threshold_there_are_as_many_false_alarms_as_allowed() {
        let silence = Silence::learn(&[3.5, 4.0, 9.0], 30.0, 1_000.0, 0.01);
        for allowed in [0.01, 0.1, 1.0] {
            let found = silence.false_alarms_a_month(silence.threshold(allowed));
            assert!((found / allowed - 1.0).abs() < 1e-6, "{found}");
        }
    }

    #[test]
    fn beforehand_some_variation_is_certain() {
        let all: f64 = VARIATIONS
            .iter()
            .map(|variation| prior(*variation).exp())
            .sum();
        assert!((all - 1.0).abs() < 1e-12, "{all}");
        assert!((prior(0.0).exp() - STEADY).abs() < 1e-12);
        assert!((prior(0.1) - prior(0.2) - 1.0).abs() < 1e-12);
    }
}
