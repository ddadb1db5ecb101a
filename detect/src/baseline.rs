//! What is usual: a count for each hour of the week, and how much counts scatter around it.

mod days;

use crate::shape::{Cells, Shape};
use crate::{Bin, CELLS, Noise};
use days::Days;

/// Days of history below which a baseline counts as learning.
pub const LEARNING_DAYS: usize = 21;

/// After so many days half of a day's weight in the level is gone.
const HALF_LIFE_DAYS: f64 = 21.0;

/// How far a stretch may be from usual, in standard deviations, to count as usual.
const OUTLIER: f64 = 4.0;

/// How often the fit is repeated without the outliers that it shows.
const ROUNDS: usize = 3;

/// The dispersion that is assumed of a source that is still learning.
const LEARNING_DISPERSION: f64 = 0.05;

/// What counts are like while nothing is wrong.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// Expected count of one whole bin, by hour of the week.
    rates: Vec<f64>,
    shape: Shape,
    noise: Noise,
    uncertainty: f64,
    /// Days of history that are usual.
    days: usize,
    /// For each day of the history, oldest first: whether it is as usual.
    usual_days: Vec<bool>,
}

impl Baseline {
    /// Learns from history, oldest bin first; the last bin is the one before those to be judged.
    ///
    /// `pooled` is what sources have in common: it stands in as far as the source's own history
    /// does not say otherwise. A day or a quarter of one that stands out does not count; a new level
    /// that has held for two weeks does, and what was before it no longer.
    ///
    /// None where history has not a single event.
    #[must_use]
    pub fn learn(history: &[Bin], bins_a_day: usize, pooled: Option<&Shape>) -> Option<Self> {
        let days = Days::of(history, bins_a_day);
        let mut weights = days.weights();
        let flat = Shape::flat();
        let prior = pooled.unwrap_or(&flat);
        let mut fit = Fit::new(history, &weights, bins_a_day, prior, Noise::POISSON)?;
        for _ in 0..ROUNDS {
            fit = Fit::new(history, &weights, bins_a_day, prior, fit.noise)?;
            let outliers = fit.outliers(history, bins_a_day);
            weights = days.without(&outliers);
        }
        fit = Fit::new(history, &weights, bins_a_day, prior, fit.noise)?;
        let count = history.len() / bins_a_day;
        let learning = count < LEARNING_DAYS;
        let usual_days = days.usual(&weights);
        Some(Self {
            rates: fit.rates,
            shape: fit.shape,
            noise: Noise {
                dispersion: if learning {
                    fit.noise.dispersion.max(LEARNING_DISPERSION)
                } else {
                    fit.noise.dispersion
                },
                ..fit.noise
            },
            uncertainty: fit.unknown + fit.noise.uncertainty,
            days: usual_days.iter().filter(|usual| **usual).count(),
            usual_days,
        })
    }

    /// What one bin is expected to hold by now.
    #[must_use]
    pub fn expected(&self, bin: &Bin) -> f64 {
        self.rates[bin.cell % CELLS] * bin.completeness
    }

    /// What one whole bin of this hour of the week is expected to hold.
    #[must_use]
    pub fn rate(&self, cell: usize) -> f64 {
        self.rates[cell % CELLS]
    }

    /// How counts scatter; the dispersion contains what is not known of single hours.
    #[must_use]
    pub fn noise(&self) -> Noise {
        self.noise
    }

    /// The relative variance of what is expected of one hour.
    #[must_use]
    pub fn uncertainty(&self) -> f64 {
        self.uncertainty
    }

    /// The shape of its week.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How many days of the history are usual.
    #[must_use]
    pub fn days(&self) -> usize {
        self.days
    }

    /// Whether a bin of the history belongs to a usual day.
    #[must_use]
    pub fn is_usual(&self, bin: usize, bins_a_day: usize) -> bool {
        let day = bin / bins_a_day;
        self.usual_days.get(day).copied().unwrap_or(false)
    }
}

/// One fit to the bins that count.
struct Fit {
    rates: Vec<f64>,
    shape: Shape,
    noise: Noise,
    /// The relative variance of an hour's factor.
    unknown: f64,
}

impl Fit {
    fn new(
        history: &[Bin],
        weights: &[f64],
        bins_a_day: usize,
        prior: &Shape,
        before: Noise,
    ) -> Option<Self> {
        let mut cells = Cells::empty();
        for (bin, weight) in history.iter().zip(weights) {
            cells.counts[bin.cell % CELLS] += weight * f64::from(bin.count);
            cells.exposure[bin.cell % CELLS] += weight * bin.completeness;
        }
        let counts: f64 = cells.counts.iter().sum();
        let exposure: f64 = cells.exposure.iter().sum();
        if counts <= 0.0 || exposure <= 0.0 {
            return None;
        }
        let overdispersion = 1.0 + before.dispersion * counts / exposure;
        let shape = Shape::fit(&cells, prior, overdispersion);
        let sums = Sums::of(history, weights, bins_a_day, &shape);
        let level = sums.counts / sums.exposure.max(f64::MIN_POSITIVE);
        let rates: Vec<f64> = (0..CELLS).map(|cell| level * shape.factor(cell)).collect();
        let mut fit = Self {
            rates,
            shape,
            noise: before,
            unknown: 0.0,
        };
        (fit.noise, fit.unknown) = fit.scatter(history, weights, bins_a_day);
        fit.noise.uncertainty = fit.noise.scale * overdispersion * sums.relative_variance();
        Some(fit)
    }

    fn expected(&self, bin: &Bin) -> f64 {
        self.rates[bin.cell % CELLS] * bin.completeness
    }

    /// The dispersion by the method of moments, with what the shape does not know added; and how
    /// much days scatter beyond it.
    fn scatter(&self, history: &[Bin], weights: &[f64], bins_a_day: usize) -> (Noise, f64) {
        let (mut excess, mut squares, mut unknown) = (0.0, 0.0, 0.0);
        for (bin, weight) in history.iter().zip(weights) {
            let expected = self.expected(bin);
            let uncertainty = self.shape.uncertainty(bin.cell);
            // What was fitted to a bin's own noise no longer shows in its residual.
            let own = (1.0 - uncertainty * expected).max(0.5);
            let residual = f64::from(bin.count) - expected;
            excess += weight * (residual * residual / own - expected);
            squares += weight * expected * expected;
            unknown += weight * expected * expected * uncertainty;
        }
        let squares = squares.max(f64::MIN_POSITIVE);
        let dispersion = (excess / squares).max(0.0);
        let noise = Noise {
            dispersion: dispersion + unknown / squares,
            scale: self.scale(history, weights, bins_a_day, dispersion),
            uncertainty: 0.0,
        };
        (noise, unknown / squares)
    }

    fn scale(&self, history: &[Bin], weights: &[f64], bins_a_day: usize, dispersion: f64) -> f64 {
        /// Day of the week and level are fitted to the days.
        const FITTED: f64 = 8.0;
        let (mut sum, mut days) = (0.0, 0.0);
        for (bins, weights) in history.chunks(bins_a_day).zip(weights.chunks(bins_a_day)) {
            let (mut count, mut expected, mut variance) = (0.0, 0.0, 0.0);
            for (bin, weight) in bins.iter().zip(weights) {
                let usual = self.expected(bin);
                count += weight * f64::from(bin.count);
                expected += weight * usual;
                variance += weight * (usual + dispersion * usual * usual);
            }
            if variance > 0.0 {
                sum += (count - expected).powi(2) / variance;
                days += 1.0;
            }
        }
        let free: f64 = days - FITTED;
        if free < 6.0 {
            return 1.0;
        }
        let scale = sum / free;
        // Chance alone gives up to this.
        let chance = 1.0 + 2.0 * (2.0 / free).sqrt();
        if scale > chance { scale } else { 1.0 }
    }

    /// For each bin whether it lies in a quarter of a day that stands out.
    fn outliers(&self, history: &[Bin], bins_a_day: usize) -> Vec<bool> {
        let quarter = (bins_a_day / 4).max(1);
        let mut outliers = Vec::with_capacity(history.len());
        for bins in history.chunks(quarter) {
            let (mut count, mut expected, mut variance) = (0.0, 0.0, 0.0);
            for bin in bins {
                let usual = self.expected(bin);
                count += f64::from(bin.count);
                expected += usual;
                variance += usual + self.noise.dispersion * usual * usual;
            }
            let spread = (self.noise.scale * variance).sqrt();
            // A Poisson count is skewed: two more are granted upwards.
            let outlier =
                count - expected > OUTLIER * spread + 2.0 || expected - count > OUTLIER * spread;
            outliers.extend(std::iter::repeat_n(outlier, bins.len()));
        }
        outliers
    }
}

/// Sums over the history in which recent days weigh more.
#[derive(Default)]
struct Sums {
    counts: f64,
    /// Squares of the weights, of the counts.
    squares: f64,
    /// Bins, each as many as its hour's factor.
    exposure: f64,
}

impl Sums {
    fn of(history: &[Bin], weights: &[f64], bins_a_day: usize, shape: &Shape) -> Self {
        let mut sums = Self::default();
        let days = history.len() / bins_a_day;
        let bins = history.chunks(bins_a_day).zip(weights.chunks(bins_a_day));
        for (day, (bins, weights)) in bins.enumerate() {
            let age = f64::from(u32::try_from(days.saturating_sub(day)).unwrap_or(u32::MAX));
            let recency = (-age / HALF_LIFE_DAYS).exp2();
            for (bin, weight) in bins.iter().zip(weights) {
                let weight = recency * weight;
                sums.counts += weight * f64::from(bin.count);
                sums.squares += weight * weight * f64::from(bin.count);
                sums.exposure += weight * bin.completeness * shape.factor(bin.cell);
            }
        }
        sums
    }

    /// The variance of a Poisson level by its square.
    fn relative_variance(&self) -> f64 {
        self.squares / (self.counts * self.counts).max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests;
