//! Whether counts are lower or higher than usual: the GLR chart for negative binomial counts.

use std::ops::Range;

use crate::{Baseline, Bin, Change, Chart};

/// Which change is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Fewer than usual.
    Down,
    /// More than usual.
    Up,
}

/// What is left of the usual count, for each size of a drop. The least one stands for nothing at
/// all; a logarithm needs something.
const DROPS: [f64; 12] = [
    0.001, 0.1, 0.25, 0.4, 0.5, 0.6, 0.68, 0.75, 0.82, 0.88, 0.93, 0.96,
];

/// How many times the usual count, for each size of a rise.
const RISES: [f64; 10] = [1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];

/// The chart of a count against its baseline.
#[derive(Debug)]
pub struct Level<'a> {
    bins: &'a [Bin],
    expected: Vec<f64>,
    direction: Direction,
    noise: Noise,
}

/// How counts scatter around what is expected, and how well that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// The dispersion α of the negative binomial distribution, variance = mean + α mean²; 0 is
    /// Poisson.
    pub dispersion: f64,
    /// How many times as much whole days scatter as their bins alone would have them; at least 1.
    pub scale: f64,
    /// The relative variance of the expected level.
    pub uncertainty: f64,
}

impl Noise {
    /// Counts at random around an expectation that is known.
    pub const POISSON: Self = Self {
        dispersion: 0.0,
        scale: 1.0,
        uncertainty: 0.0,
    };
}

impl<'a> Level<'a> {
    /// The chart of these bins, which are not those that the baseline was learned from.
    #[must_use]
    pub fn new(bins: &'a [Bin], baseline: &Baseline, direction: Direction) -> Self {
        Self::with_expected(
            bins,
            bins.iter().map(|bin| baseline.expected(bin)).collect(),
            baseline.noise(),
            direction,
        )
    }

    /// The chart of bins whose expected counts come from elsewhere.
    ///
    /// A bin without an expectation is not judged.
    #[must_use]
    pub fn with_expected(
        bins: &'a [Bin],
        expected: Vec<f64>,
        noise: Noise,
        direction: Direction,
    ) -> Self {
        Self {
            bins,
            expected,
            direction,
            noise,
        }
    }

    /// How many there were in a range of bins, and how many are usual.
    #[must_use]
    pub fn change(&self, bins: Range<usize>) -> Change {
        let (mut observed, mut usual, mut squares) = (0.0, 0.0, 0.0);
        for bin in bins {
            observed += f64::from(self.bins[bin].count);
            usual += self.expected[bin];
            squares += self.expected[bin] * self.expected[bin];
        }
        let dispersion = self.noise.dispersion * squares / (usual * usual).max(f64::MIN_POSITIVE);
        Change::of_counts(observed, usual, dispersion, self.noise.scale)
    }

    /// What is expected in a range of bins and is not there.
    #[must_use]
    pub fn missing(&self, bins: Range<usize>) -> f64 {
        let change = self.change(bins);
        change.usual - change.observed
    }

    fn factors(&self) -> &'static [f64] {
        match self.direction {
            Direction::Down => &DROPS,
            Direction::Up => &RISES,
        }
    }
}

impl Chart for Level<'_> {
    fn alternatives(&self) -> usize {
        self.factors().len()
    }

    fn score(&self, alternative: usize, bin: usize) -> f64 {
        let expected = self.expected[bin];
        if expected <= 0.0 {
            return 0.0;
        }
        let factor = self.factors()[alternative];
        let count = f64::from(self.bins[bin].count);
        log_likelihood_ratio(count, expected, factor, self.noise.dispersion) / self.noise.scale
    }

    fn information(&self, bin: usize) -> f64 {
        let expected = self.expected[bin];
        expected / (1.0 + self.noise.dispersion * expected) / self.noise.scale
    }

    fn uncertainty(&self) -> f64 {
        self.noise.uncertainty
    }
}

/// ln of the probability of a count with `factor` times the expectation, against the expectation.
fn log_likelihood_ratio(count: f64, expected: f64, factor: f64, dispersion: f64) -> f64 {
    if dispersion * expected < 1e-6 {
        return count * factor.ln() - expected * (factor - 1.0);
    }
    let spread = (dispersion * expected * (factor - 1.0) / (1.0 + dispersion * expected)).ln_1p();
    count * factor.ln() - (count + 1.0 / dispersion) * spread
}

#[cfg(test)]
mod tests;
