//! How large a change is.

/// Two-sided 95 % of a normal distribution.
const SIDES: f64 = 1.96;

/// Observed against usual, with a range of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// What is usual: a count for levels, a share from 0 to 1 for shares.
    pub usual: f64,
    /// What was observed, in the same unit.
    pub observed: f64,
    /// The lower end of the range of what lies behind the observed.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Change {
    /// A count against its expectation; `dispersion` as in the negative binomial distribution, for
    /// the whole stretch, and `scale` the factor on the variance.
    pub(crate) fn of_counts(observed: f64, usual: f64, dispersion: f64, scale: f64) -> Self {
        if observed < 1.0 {
            // Nothing seen: three expected ones leave e⁻³ = 5 % for none.
            return Self {
                usual,
                observed,
                low: 0.0,
                high: 3.0 * scale,
            };
        }
        let spread = SIDES * (scale * (1.0 / observed + dispersion)).sqrt();
        Self {
            usual,
            observed,
            low: observed * (-spread).exp(),
            high: observed * spread.exp(),
        }
    }

    /// A share: Wilson's interval, with the number of trials divided by `scale`.
    pub(crate) fn of_shares(count: f64, of: f64, usual: f64, scale: f64) -> Self {
        let trials = (of / scale).max(f64::MIN_POSITIVE);
        let share = if of > 0.0 { count / of } else { 0.0 };
        let square = SIDES * SIDES / trials;
        let centre = (share + square / 2.0) / (1.0 + square);
        let spread = SIDES / (1.0 + square)
            * (share * (1.0 - share) / trials + square / (4.0 * trials)).sqrt();
        Self {
            usual,
            observed: share,
            low: (centre - spread).max(0.0),
            high: (centre + spread).min(1.0),
        }
    }

    /// Observed against usual; infinite where nothing is usual.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.observed / self.usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_that_of_the_textbook() {
        // 10 of 100: Wilson's interval of 95 % is 5.52 % to 17.44 %.
        let change = Change::of_shares(10.0, 100.0, 0.05, 1.0);
        assert!((change.low - 0.0552).abs() < 5e-5, "{change:?}");
        assert!((change.high - 0.1744).abs() < 5e-5, "{change:?}");
        assert!((change.ratio() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_count_of_100_is_known_to_a_fifth() {
        // exp(1.96 / 10) = 1.2165.
        let change = Change::of_counts(100.0, 150.0, 0.0, 1.0);
        assert!((change.low - 82.20).abs() < 0.01, "{change:?}");
        assert!((change.high - 121.65).abs() < 0.01, "{change:?}");
    }

    #[test]
    fn nothing_seen_leaves_up_to_three() {
        assert!((Change::of_counts(0.0, 13.0, 0.0, 1.0).high - 3.0).abs() < 1e-9);
        assert!((Change::of_counts(0.0, 13.0, 0.0, 2.0).high - 6.0).abs() < 1e-9);
    }

    #[test]
    fn twice_the_scatter_is_half_of_the_trials() {
        let scattered = Change::of_shares(20.0, 200.0, 0.05, 2.0);
        let fewer = Change::of_shares(10.0, 100.0, 0.05, 1.0);
        assert!((scattered.low - fewer.low).abs() < 1e-12, "{scattered:?}");
        assert!((scattered.high - fewer.high).abs() < 1e-12, "{scattered:?}");
        assert!((scattered.observed - 0.1).abs() < 1e-12);
    }
}
