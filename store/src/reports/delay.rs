//! Quantiles of lengths of time.

use serde::Deserialize;

/// Quantiles in seconds: of `n` values in order, quantile `q` is the one at place `⌊q·n⌋` from 0,
/// the highest one for `q` = 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay {
    /// Half took no longer than about this.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// Ninety-nine of a hundred.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Of the server's `quantilesExact` of microseconds: four, or none without a value.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Quantiles(Vec<i64>);

/// The levels of [`Quantiles`].
pub(super) const LEVELS: &str = "0.5, 0.9, 0.99, 1";

impl Quantiles {
    /// `None` where there is no value; `count` says how many there are.
    pub(super) fn of(&self, count: u64) -> Option<Delay> {
        let &[p50, p90, p99, max] = self.0.as_slice() else {
            return None;
        };
        let seconds = |micros: i64| {
            #[expect(clippy::cast_precision_loss, reason = "285 years are 2^53 µs")]
            let micros = micros as f64;
            micros / 1e6
        };
        (count > 0).then(|| Delay {
            p50: seconds(p50),
            p90: seconds(p90),
            p99: seconds(p99),
            max: seconds(max),
        })
    }
}
