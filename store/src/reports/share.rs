//! Shares of counts, and whether one is higher than another beyond chance.

/// One in ten thousand: a report has thousands of rows.
const CHANCE: f64 = 1e-4;

/// Terms of a sum that are smaller than this part of it change nothing.
const NEGLIGIBLE: f64 = 1e-12;

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Those that are meant.
    pub part: u64,
    /// All.
    pub all: u64,
}

impl Share {
    /// So many of so many.
    #[must_use]
    pub const fn new(part: u64, all: u64) -> Self {
        Self { part, all }
    }

    /// In percent; `None` of nothing.
    #[must_use]
    pub fn percent(self) -> Option<f64> {
        (self.all > 0).then(|| 100.0 * self.ratio())
    }

    /// Whether this share is higher than that one by more than `points` percentage points, and as
    /// high as chance makes it in fewer than one of 10,000 cases, if nothing has changed. Never,
    /// where one of both is of nothing.
    ///
    /// Chance is that of the next sample after an earlier one of the same kind: the beta-binomial
    /// distribution that follows from Jeffreys' prior, exact for small counts too.
    #[must_use]
    pub fn is_surely_higher(self, than: Self, points: f64) -> bool {
        if self.all == 0 || than.all == 0 {
            return false;
        }
        self.ratio() - than.ratio() > points / 100.0 && self.chance_after(than) < CHANCE
    }

    /// How probable so many or more are after the earlier sample; this share is the higher one.
    fn chance_after(self, earlier: Self) -> f64 {
        let (k, n) = (float(self.part), float(self.all));
        let (a, b) = (
            float(earlier.part) + 0.5,
            float(earlier.all - earlier.part) + 0.5,
        );
        let ways = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
        let mut term = (ways + ln_beta(k + a, n - k + b) - ln_beta(a, b)).exp();
        let (mut sum, mut i) = (term, k);
        while i < n && term > NEGLIGIBLE * sum {
            term *= (n - i) * (i + a) / ((i + 1.0) * (n - i - 1.0 + b));
            sum += term;
            i += 1.0;
        }
        sum
    }

    fn ratio(self) -> f64 {
        float(self.part) / float(self.all)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
const fn float(count: u64) -> f64 {
    count as f64
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The logarithm of the gamma function of a positive number: Stirling's series, which is exact to ten
/// digits from 10 on; smaller numbers by Γ(x) = Γ(x + 1) / x.
fn ln_gamma(x: f64) -> f64 {
    if x < 10.0 {
        return ln_gamma(x + 1.0) - x.ln();
    }
    let tail = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1_260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_is_that_of_the_beta_binomial() {
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-9);
        assert!((ln_gamma(11.0) - 3_628_800_f64.ln()).abs() < 1e-9);
        // After 0 of 1: B(1.5, 1.5) / B(0.5, 1.5) = (π/8) / (π/2).
        let found = Share::new(1, 1).chance_after(Share::new(0, 1));
        assert!((found - 0.25).abs() < 1e-9, "{found}");
        // Everything is certain; after 1 of 2 the halves are alike: 2 of 3 or more is one half.
        let certain = Share::new(0, 40).chance_after(Share::new(3, 17));
        assert!((certain - 1.0).abs() < 1e-9, "{certain}");
        let half = Share::new(2, 3).chance_after(Share::new(1, 2));
        assert!((half - 0.5).abs() < 1e-9, "{half}");
    }

    #[test]
    fn chance_is_no_rise_and_a_break_is_one() {
        let past = Share::new(50, 1_000);
        for chance in [
            (0, 0),
            (1, 1),
            (2, 2),
            (2, 3),
            (8, 100),
            (13, 100),
            (60, 1_000),
        ] {
            let now = Share::new(chance.0, chance.1);
            assert!(!now.is_surely_higher(past, 1.0), "{chance:?}");
        }
        for broken in [(4, 4), (17, 100), (120, 1_000), (1_000_000, 1_600_000)] {
            let now = Share::new(broken.0, broken.1);
            assert!(now.is_surely_higher(past, 1.0), "{broken:?}");
        }
        assert!(!Share::new(5, 5).is_surely_higher(Share::default(), 1.0));
        // Sure, and less than a point.
        let little = Share::new(55_000, 1_000_000);
        assert!(little.is_surely_higher(Share::new(50_000, 1_000_000), 0.0));
        assert!(!little.is_surely_higher(Share::new(50_000, 1_000_000), 1.0));
    }
}
