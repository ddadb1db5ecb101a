//! What gap is usual, and which rows are beyond it. Pure.

use postback_store::reports::share::Share;

/// Days of history that say what is usual.
pub(super) const DAYS: i32 = 28;

/// Fewer days say too little.
const FEWEST_DAYS: usize = 7;

/// A row is beyond what is usual where chance would make it so in fewer than one of about 700 rows:
/// three standard deviations.
const DEVIATIONS: f64 = 3.0;

/// The gap of the days before the range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usual {
    /// Days that it rests on.
    pub(super) days: usize,
    /// Of half of the days the gap is at most so much, in percent.
    pub(super) median: f64,
    /// Nine of ten days are between these, in percent.
    pub(super) low: f64,
    pub(super) high: f64,
    /// How much alike orders of one day are (the intra-class correlation of the beta-binomial
    /// distribution): days differ by more than chance alone, however many orders they have.
    correlation: f64,
}

impl Usual {
    /// `None` where there are too few days.
    pub(super) fn of(days: &[Share]) -> Option<Self> {
        if days.len() < FEWEST_DAYS {
            return None;
        }
        let mut percents: Vec<f64> = days.iter().filter_map(|day| day.percent()).collect();
        percents.sort_by(f64::total_cmp);
        let median = quantile(&percents, 50);
        Some(Self {
            days: days.len(),
            median,
            low: quantile(&percents, 5),
            high: quantile(&percents, 95),
            correlation: correlation(days, median / 100.0),
        })
    }

    /// Whether a row's gap is wider than usual, beyond chance.
    pub(super) fn is_widened(&self, row: Share) -> bool {
        let Some(percent) = row.percent() else {
            return false;
        };
        let (k, n) = (float(row.part), float(row.all));
        // A usual gap of nothing says: less than one of all that were seen.
        let p = (self.median / 100.0).max(0.5 / n.max(1.0)).min(0.5);
        let dispersion = 1.0 + (n - 1.0) * self.correlation;
        let deviation = (n * p * (1.0 - p) * dispersion).sqrt().max(1.0);
        percent > self.high && k - n * p > DEVIATIONS * deviation
    }
}

/// By the method of moments: what Pearson's terms of the days against one common share have beyond
/// chance; the fifth of the days that differs most is left out, for a break in the past must not hide
/// the next one.
fn correlation(days: &[Share], p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return 0.0;
    }
    let term = |day: &Share| {
        let n = float(day.all);
        ((float(day.part) - n * p).powi(2) / (n * p * (1.0 - p)), n)
    };
    let days_with_orders = days.iter().filter(|day| day.all > 0);
    let mut terms: Vec<(f64, f64)> = days_with_orders.map(term).collect();
    terms.sort_by(|one, other| one.0.total_cmp(&other.0));
    terms.truncate((terms.len() * 4).div_ceil(5));
    let beyond: f64 = terms.iter().map(|(term, _)| term - 1.0).sum();
    let pairs: f64 = terms.iter().map(|(_, n)| n - 1.0).sum();
    (beyond / pairs.max(1.0)).clamp(0.0, 1.0)
}

/// Of sorted numbers that of which so many hundredths are not greater, between two of them in
/// proportion.
fn quantile(sorted: &[f64], hundredths: usize) -> f64 {
    let scaled = hundredths * sorted.len().saturating_sub(1);
    let (place, rest) = (scaled / 100, scaled % 100);
    let at = |place: usize| sorted.get(place).copied().unwrap_or(0.0);
    let above = at((place + 1).min(sorted.len().saturating_sub(1)));
    at(place) + (above - at(place)) * float(rest as u64) / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(percents: &[u64]) -> Vec<Share> {
        percents.iter().map(|of| Share::new(*of, 100)).collect()
    }

    #[test]
    fn a_week_says_what_is_usual() {
        assert_eq!(Usual::of(&days(&[2; 6])), None);
        let usual = Usual::of(&days(&[1, 2, 3, 2, 1, 3, 2])).unwrap();
        assert_eq!((usual.days, usual.median), (7, 2.0));
        assert!((usual.low - 1.0).abs() < 1e-9 && (usual.high - 3.0).abs() < 1e-9);
    }

    #[test]
    fn chance_is_not_a_widened_gap_and_a_break_is() {
        let usual = Usual::of(&days(&[1, 2, 3, 2, 1, 3, 2, 2])).unwrap();
        for fine in [
            (2, 100),
            (4, 100),
            (6, 100),
            (1, 1),
            (2, 10),
            (25, 1_000),
            (0, 0),
        ] {
            assert!(!usual.is_widened(Share::new(fine.0, fine.1)), "{fine:?}");
        }
        for broken in [(8, 100), (40, 1_000), (4, 10), (30, 100)] {
            assert!(
                usual.is_widened(Share::new(broken.0, broken.1)),
                "{broken:?}"
            );
        }
        let never = Usual::of(&days(&[0; 10])).unwrap();
        assert!(!never.is_widened(Share::new(1, 100)) && never.is_widened(Share::new(6, 100)));
    }

    #[test]
    fn days_that_differ_much_are_given_more_room() {
        let calm = Usual::of(&days(&[10; 20])).unwrap();
        let wild: Vec<u64> = (0..20)
            .map(|day| if day % 2 == 0 { 4 } else { 16 })
            .collect();
        let wild = Usual::of(&days(&wild)).unwrap();
        let row = Share::new(200, 1_000);
        assert!(calm.is_widened(row) && !wild.is_widened(row));
    }
}
