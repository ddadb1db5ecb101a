//! What is usual for an hour of the week, by the weeks before.
//!
//! Counts of an hour are taken as Poisson's with more spread than that (quasi-Poisson): their
//! variance is φ times their mean, φ measured over the last 168 hours and the same hours of the weeks
//! before. The range is that of the next count around a mean that is itself an estimate, on
//! Anscombe's scale 2√(x + 3/8), where counts are nearly normal and vary alike.

use std::collections::BTreeMap;

use jiff::{Span, Timestamp, Zoned};

use super::WEEKS;

/// Standard normal quantile of the range: 99.7 % between both ends.
const Z: f64 = 3.0;
/// Weeks before a source is known.
const KNOWN_AFTER: i64 = 3;
/// Expected postbacks without which a silence is no chance: e⁻¹³ is one in 440,000.
const MISSED: f64 = 13.0;
const HOURS_OF_WEEK: u32 = 168;

/// The last hour against those before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// Mean of the same hour of the weeks before; `None` without a week.
    pub mean: Option<f64>,
    /// The lowest and the highest count that are usual.
    pub range: Option<(u64, u64)>,
    /// Usual postbacks in the time since the last one.
    pub missing: f64,
    /// What follows.
    pub state: State,
}

/// What to think of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has sent for less than three weeks.
    Learning,
    /// As usual.
    Usual,
    /// Fewer than usual.
    Low,
    /// More than usual.
    High,
    /// Nothing, where at least 13 were usual.
    Silent,
}

impl State {
    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Usual => "as usual",
            Self::Low => "low",
            Self::High => "high",
            Self::Silent => "silent",
        }
    }
}

/// A source's postbacks by hours before `until`, 0 the last one, and since when there are any.
struct Hours<'a> {
    counts: &'a BTreeMap<u32, u64>,
    first: Timestamp,
    until: &'a Zoned,
}

impl Usual {
    pub(super) fn of(
        counts: &BTreeMap<u32, u64>,
        first: Timestamp,
        last: Timestamp,
        until: &Zoned,
    ) -> Self {
        let hours = Hours {
            counts,
            first,
            until,
        };
        let weeks = hours.weeks_of(0);
        let mean = mean(&weeks);
        let range = mean.map(|mean| range(mean, hours.dispersion(), weeks.len()));
        let missing = hours.missing(last);
        let is_known = until
            .checked_sub(Span::new().weeks(KNOWN_AFTER))
            .is_ok_and(|known| first <= known.timestamp());
        let now = hours.count(0);
        let state = match range {
            _ if !is_known => State::Learning,
            _ if missing >= MISSED => State::Silent,
            Some((lowest, _)) if now < lowest => State::Low,
            Some((_, highest)) if now > highest => State::High,
            _ => State::Usual,
        };
        Self {
            mean,
            range,
            missing,
            state,
        }
    }
}

impl Hours<'_> {
    fn count(&self, ago: u32) -> u64 {
        self.counts.get(&ago).copied().unwrap_or(0)
    }

    /// The counts of the same hour, by the clock, of the weeks before in which the source was there.
    fn weeks_of(&self, ago: u32) -> Vec<f64> {
        let hour = |ago: u32| self.until.checked_sub(Span::new().hours(i64::from(ago)));
        let Ok(end) = hour(ago) else {
            return Vec::new();
        };
        let weeks = (1..=WEEKS).filter_map(|week| {
            let end = end.checked_sub(Span::new().weeks(week)).ok()?;
            let was_there = end.timestamp().as_second() - 3_600 >= self.first.as_second();
            let seconds = self.until.timestamp().as_second() - end.timestamp().as_second();
            let ago = u32::try_from((seconds + 1_800) / 3_600).ok()?;
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
            was_there.then(|| self.count(ago) as f64)
        });
        weeks.collect()
    }

    /// φ: 1 for Poisson's counts, more for others; never less.
    fn dispersion(&self) -> f64 {
        let (mut sum, mut freedom) = (0.0, 0.0);
        for weeks in (0..HOURS_OF_WEEK).map(|ago| self.weeks_of(ago)) {
            let Some(mean) = mean(&weeks).filter(|mean| *mean > 0.0) else {
                continue;
            };
            sum += weeks
                .iter()
                .map(|count| (count - mean).powi(2) / mean)
                .sum::<f64>();
            #[expect(clippy::cast_precision_loss, reason = "eight at most")]
            let degrees = weeks.len() as f64 - 1.0;
            freedom += degrees;
        }
        if freedom > 0.0 {
            (sum / freedom).max(1.0)
        } else {
            1.0
        }
    }

    /// Usual postbacks of the hours since `last`, the first of them in part.
    fn missing(&self, last: Timestamp) -> f64 {
        let seconds = self
            .until
            .timestamp()
            .duration_since(last)
            .as_secs_f64()
            .max(0.0);
        let mut missing = 0.0;
        let mut left = seconds / 3_600.0;
        let mut ago = 0;
        while left > 0.0 && ago < HOURS_OF_WEEK {
            missing += left.min(1.0) * mean(&self.weeks_of(ago)).unwrap_or(0.0);
            left -= 1.0;
            ago += 1;
        }
        missing
    }
}

#[expect(clippy::cast_precision_loss, reason = "eight at most")]
fn mean(weeks: &[f64]) -> Option<f64> {
    (!weeks.is_empty()).then(|| weeks.iter().sum::<f64>() / weeks.len() as f64)
}

/// The lowest and the highest usual count.
#[expect(clippy::cast_precision_loss, reason = "eight at most")]
fn range(mean: f64, dispersion: f64, weeks: usize) -> (u64, u64) {
    let middle = (mean + 0.375).sqrt();
    let half = Z / 2.0 * (dispersion * (1.0 + 1.0 / weeks as f64)).sqrt();
    let count = |root: f64| (root.max(0.0).powi(2) - 0.375).max(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, far below 2^52"
    )]
    let whole = |count: f64| count as u64;
    (
        whole(count(middle - half).ceil()),
        whole(count(middle + half).floor()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until() -> Zoned {
        "2026-11-22T12:00:00[Europe/Berlin]".parse().unwrap()
    }

    /// So many in every hour of nine weeks, but in the last hours.
    fn steady(count: u64, silent: u32) -> BTreeMap<u32, u64> {
        (silent..24 * 7 * 9).map(|ago| (ago, count)).collect()
    }

    fn usual(counts: &BTreeMap<u32, u64>, silent: u32, weeks: i64) -> Usual {
        let until = until();
        let first = until
            .checked_sub(Span::new().weeks(weeks))
            .unwrap()
            .timestamp();
        let last = until
            .checked_sub(Span::new().hours(i64::from(silent)))
            .unwrap();
        Usual::of(counts, first, last.timestamp(), &until)
    }

    #[test]
    fn a_steady_source_is_as_usual() {
        let found = usual(&steady(100, 0), 0, 20);
        assert_eq!((found.mean, found.state), (Some(100.0), State::Usual));
        // Anscombe: (√100.375 ± 1.5·√(9/8))² - 3/8 = 70.65… and 134.4….
        assert_eq!(found.range, Some((71, 134)));
        let mut counts = steady(100, 0);
        for (count, state) in [
            (70, State::Low),
            (71, State::Usual),
            (134, State::Usual),
            (135, State::High),
        ] {
            counts.insert(0, count);
            assert_eq!(usual(&counts, 0, 20).state, state, "{count}");
        }
    }

    #[test]
    fn silence_is_told_when_thirteen_were_usual() {
        // 4.5 a hour: two hours miss 9, three 13.5.
        let mut counts = steady(4, 0);
        counts
            .iter_mut()
            .filter(|(ago, _)| *ago % 24 < 24)
            .for_each(|(_, count)| *count = 4);
        counts.retain(|ago, _| *ago >= 4);
        let found = usual(&counts, 3, 20);
        assert_eq!((found.missing, found.state), (12.0, State::Usual));
        let found = usual(&counts, 4, 20);
        assert_eq!((found.missing, found.state), (16.0, State::Silent));
    }

    #[test]
    fn the_hour_is_that_of_the_clock_before_and_after_a_change() {
        // Clocks were set back on 2026-10-25, four weeks before: 12:00 was 672 hours ago, then 673…
        let until = until();
        let of = |ago: u32| BTreeMap::from([(ago, 70)]);
        let first = until
            .checked_sub(Span::new().weeks(20))
            .unwrap()
            .timestamp();
        let mean = |ago| Usual::of(&of(ago), first, first, &until).mean;
        assert_eq!(mean(3 * 168), Some(70.0 / 8.0));
        assert_eq!(mean(4 * 168), Some(70.0 / 8.0));
        assert_eq!(mean(5 * 168), Some(0.0));
        assert_eq!(mean(5 * 168 + 1), Some(70.0 / 8.0));
    }

    #[test]
    fn what_is_new_is_being_learned() {
        let found = usual(&steady(100, 10), 10, 2);
        assert_eq!(
            (found.state, found.range.is_some()),
            (State::Learning, true)
        );
        let found = usual(&BTreeMap::new(), 1, 0);
        assert_eq!(
            (found.mean, found.range, found.state),
            (None, None, State::Learning)
        );
    }

    #[test]
    fn a_restless_source_has_a_wider_range() {
        let restless: BTreeMap<u32, u64> = (0..24 * 7 * 9)
            .map(|ago| (ago, if (ago / 168) % 2 == 0 { 60 } else { 140 }))
            .collect();
        let found = usual(&restless, 0, 20);
        let (lowest, highest) = found.range.unwrap();
        assert!(lowest < 35 && highest > 190, "{lowest} {highest}");
        assert_eq!(found.state, State::Usual);
    }
}
