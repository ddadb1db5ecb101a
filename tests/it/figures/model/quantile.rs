//! Quantiles of lengths of time.

use super::{Figure, named};

/// Of `n` values in order the one at place `⌊q·n⌋` from 0, the highest one for `q` = 1; `q` in
/// hundredths.
fn quantile(values: &[i128], hundredths: usize) -> Option<i128> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let place = hundredths * sorted.len() / 100;
    sorted.get(place.min(sorted.len().checked_sub(1)?)).copied()
}

/// Columns `{name}_p50` and so on, of microseconds.
pub(crate) fn quantiles(
    name: &str,
    hundredths: &[usize],
    micros: &[i128],
) -> Vec<(String, Figure)> {
    let column = |of: &usize| {
        let label = if *of == 100 {
            "max".to_owned()
        } else {
            format!("p{of}")
        };
        #[expect(clippy::cast_precision_loss, reason = "shown with three decimals")]
        let seconds = |micros: i128| Figure::Seconds(micros as f64 / 1e6);
        let figure = quantile(micros, *of).map_or(Figure::Missing, seconds);
        named(&format!("{name}_{label}"), figure)
    };
    hundredths.iter().map(column).collect()
}
