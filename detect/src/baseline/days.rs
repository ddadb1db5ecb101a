//! Which days of the history stand out from their own kind.

use crate::Bin;

/// How far a day may be from the others, weekdays made alike, in robust standard deviations.
const OUTLIER: f64 = 4.0;

/// The standard deviation of a normal distribution for a median absolute deviation of one.
const MAD: f64 = 1.4826;

/// A level that has held to the end for so many days is the usual one.
const SETTLED: usize = 14;

/// By so much a level must differ from the one before, as a logarithm, to be another one.
const ANOTHER: f64 = 0.2;

/// The days of a history, and which of them are usual.
pub(super) struct Days<'a> {
    history: &'a [Bin],
    bins_a_day: usize,
    usual: Vec<bool>,
}

impl<'a> Days<'a> {
    pub(super) fn of(history: &'a [Bin], bins_a_day: usize) -> Self {
        let levels = levels(history, bins_a_day);
        Self {
            history,
            bins_a_day,
            usual: usual(&levels, chance(history, bins_a_day)),
        }
    }

    /// 1 for each bin of a usual day, 0 for the others.
    pub(super) fn weights(&self) -> Vec<f64> {
        self.without(&[])
    }

    /// The same, without these bins. If hardly anything is left, the bins count after all.
    pub(super) fn without(&self, outliers: &[bool]) -> Vec<f64> {
        let weight = |bin: usize, skip: bool| {
            let there = self.history[bin].completeness > 0.0;
            let usual = self.usual[bin / self.bins_a_day];
            f64::from(u8::from(there && usual && !skip))
        };
        let bins = 0..self.history.len();
        let at = |bin: usize| outliers.get(bin).copied().unwrap_or(false);
        let weights: Vec<f64> = bins.clone().map(|bin| weight(bin, at(bin))).collect();
        let with: Vec<f64> = bins.map(|bin| weight(bin, false)).collect();
        if weights.iter().sum::<f64>() < 0.6 * with.iter().sum::<f64>() {
            with
        } else {
            weights
        }
    }

    /// For each day whether most of it counts.
    pub(super) fn usual(&self, weights: &[f64]) -> Vec<bool> {
        weights
            .chunks(self.bins_a_day)
            .map(|day| day.iter().filter(|weight| **weight > 0.0).count() * 2 > day.len())
            .collect()
    }
}

/// The level of each day, weekdays made alike, as a logarithm; none for a day of which nothing is
/// known.
fn levels(history: &[Bin], bins_a_day: usize) -> Vec<Option<f64>> {
    let days: Vec<Option<f64>> = history.chunks(bins_a_day).map(total).collect();
    let weekdays: Vec<f64> = (0..7).map(|weekday| share(&days, weekday)).collect();
    let level = |(day, count): (usize, &Option<f64>)| {
        let usual = weekdays[day % 7];
        count.map(|count| ((count + 0.5) / usual.max(f64::MIN_POSITIVE)).ln())
    };
    days.iter().enumerate().map(level).collect()
}

/// Which part of its week a weekday has, as the median over all weeks: what a level that changes
/// between two weeks does not move.
fn share(days: &[Option<f64>], weekday: usize) -> f64 {
    let part = |week: &[Option<f64>]| {
        let sum: f64 = week.iter().copied().flatten().sum();
        let known = week.iter().flatten().count() == 7;
        let day = week.get(weekday).copied().flatten()?;
        (known && sum > 0.0).then(|| (day + 0.5) / (sum + 3.5))
    };
    median(days.chunks(7).filter_map(part).collect()).unwrap_or(1.0 / 7.0)
}

/// The count of a day, as if all of it were there.
fn total(bins: &[Bin]) -> Option<f64> {
    let there: f64 = bins.iter().map(|bin| bin.completeness).sum();
    let count: f64 = bins.iter().map(|bin| f64::from(bin.count)).sum();
    let whole = f64::from(u32::try_from(bins.len()).unwrap_or(u32::MAX));
    (there > 0.5 * whole).then(|| count * whole / there)
}

fn usual(levels: &[Option<f64>], chance: f64) -> Vec<bool> {
    let since = settled(levels, chance);
    let (centre, spread) = spread(&levels[since..]);
    let bound = OUTLIER * spread.max(chance);
    let is_usual = |(day, level): (usize, &Option<f64>)| {
        day >= since && level.is_some_and(|level| (level - centre).abs() <= bound)
    };
    let usual: Vec<bool> = levels.iter().enumerate().map(is_usual).collect();
    let most = usual.iter().filter(|usual| **usual).count() * 2 > levels.len() - since;
    if most {
        usual
    } else {
        (0..levels.len()).map(|day| day >= since).collect()
    }
}

/// The first day of the level that is usual now: 0, unless another one has held to the end.
fn settled(levels: &[Option<f64>], chance: f64) -> usize {
    let distance = |days: &[Option<f64>]| {
        let (centre, _) = spread(days);
        let known = days.iter().flatten();
        known.map(|level| (level - centre).abs()).sum::<f64>()
    };
    let splits = 7..(levels.len() + 1).saturating_sub(SETTLED);
    let best = splits
        .map(|split| {
            (
                split,
                distance(&levels[..split]) + distance(&levels[split..]),
            )
        })
        .min_by(|one, other| one.1.total_cmp(&other.1));
    let Some((split, _)) = best else { return 0 };
    let (before, spread_before) = spread(&levels[..split]);
    let (after, spread_after) = spread(&levels[split..]);
    let noise = spread_before.max(spread_after).max(chance);
    let differs = (after - before).abs() > ANOTHER.max(2.0 * noise);
    let nearer = |level: &&f64| (**level - after).abs() < (**level - before).abs();
    let held = levels[split..].iter().flatten().filter(nearer).count() >= SETTLED;
    if differs && held { split } else { 0 }
}

/// Median, and a robust standard deviation.
fn spread(levels: &[Option<f64>]) -> (f64, f64) {
    let known = || levels.iter().copied().flatten();
    let centre = median(known().collect()).unwrap_or(0.0);
    let deviations = known().map(|level| (level - centre).abs());
    (centre, MAD * median(deviations.collect()).unwrap_or(0.0))
}

/// The spread of a day's logarithm that chance alone gives.
fn chance(history: &[Bin], bins_a_day: usize) -> f64 {
    let days = history.chunks(bins_a_day).filter_map(total);
    median(days.collect()).map_or(1.0, |usual| (1.0 / (usual + 0.5)).sqrt())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], upper)
    } else {
        upper
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(days: &[u32]) -> Vec<Bin> {
        let bin = |(day, count): (usize, &u32)| Bin::whole(day % 7 * 24, *count);
        days.iter().enumerate().map(bin).collect()
    }

    #[test]
    fn a_day_without_anything_is_not_usual() {
        let mut days = [1000; 28];
        days[9] = 0;
        let usual = Days::of(&history(&days), 1).weights();
        let none: Vec<usize> = (0..28).filter(|day| usual[*day] == 0.0).collect();
        assert_eq!(none, [9]);
    }

    #[test]
    fn two_weeks_of_another_level_are_the_new_level() {
        let mut days = [1000; 42];
        days[26..].fill(2000);
        let usual = Days::of(&history(&days), 1).weights();
        assert!((0..42).all(|day| (usual[day] > 0.0) == (day >= 26)));
        let mut days = [1000; 42];
        days[32..].fill(500);
        let usual = Days::of(&history(&days), 1).weights();
        assert!((0..42).all(|day| (usual[day] > 0.0) == (day < 32)));
    }

    #[test]
    fn a_quiet_weekend_is_usual() {
        let days: Vec<u32> = (0..28)
            .map(|day| if day % 7 >= 5 { 100 } else { 1000 })
            .collect();
        assert!(
            Days::of(&history(&days), 1)
                .weights()
                .iter()
                .all(|weight| *weight > 0.0)
        );
    }

    #[test]
    fn a_day_is_counted_as_if_all_of_it_were_there() {
        let bin = |count, completeness| Bin {
            cell: 0,
            count,
            completeness,
        };
        // 30 in one and a half of two bins.
        assert_eq!(total(&[bin(10, 0.5), bin(20, 1.0)]), Some(40.0));
        // Half of a day says nothing of it.
        assert_eq!(total(&[bin(10, 0.0), bin(20, 1.0)]), None);
    }

    #[test]
    fn what_is_not_there_has_no_weight() {
        let mut days = history(&[1000; 28]);
        days[3].completeness = 0.0;
        let weights = Days::of(&days, 1).weights();
        let none: Vec<usize> = (0..28).filter(|day| weights[*day] == 0.0).collect();
        assert_eq!(none, [3]);
    }

    #[test]
    fn outliers_are_left_out_unless_hardly_anything_is_left() {
        let history = history(&[1000; 50]);
        let days = Days::of(&history, 1);
        let left = |outliers: usize| {
            let outliers: Vec<bool> = (0..50).map(|day| day < outliers).collect();
            days.without(&outliers).iter().sum::<f64>()
        };
        // Six of ten must be left.
        assert_eq!([left(0), left(20), left(21)], [50.0, 30.0, 50.0]);
    }

    #[test]
    fn a_day_is_usual_where_most_of_it_is() {
        let history = history(&[1000; 16]);
        let weights = [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0];
        assert_eq!(Days::of(&history, 4).usual(&weights), [true, false]);
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(vec![9.0, 1.0, 5.0, 6.0]), Some(5.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn chance_is_that_of_a_usual_day() {
        let found = chance(&history(&[0, 24, 9000]), 1);
        assert!((found - (1.0_f64 / 24.5).sqrt()).abs() < 1e-12, "{found}");
        // Of nothing, anything.
        assert!((chance(&[], 1) - 1.0).abs() < 1e-12);
    }

    /// Days of a week of 600 have 100 each but for the last, which has none.
    #[test]
    fn weekdays_are_made_alike() {
        let mut days = [Some(100.0); 28];
        (0..28)
            .filter(|day| day % 7 == 6)
            .for_each(|day| days[day] = Some(0.0));
        // A week of which a day is not known says nothing.
        days[8] = None;
        days[9] = Some(1e6);
        let part = |weekday| share(&days, weekday);
        assert!((part(0) - 100.5 / 603.5).abs() < 1e-12);
        assert!((part(6) - 0.5 / 603.5).abs() < 1e-12);
        assert!((share(&[], 3) - 1.0 / 7.0).abs() < 1e-12);
    }

    /// Another level must have held for two weeks, and differ by a fifth.
    #[test]
    fn a_level_that_has_not_settled_is_not_the_usual_one() {
        let first_usual = |days: &[u32]| {
            let weights = Days::of(&history(days), 1).weights();
            weights.iter().position(|weight| *weight > 0.0)
        };
        let risen = |since: usize, to: u32| {
            let mut days = [1000; 42];
            days[since..].fill(to);
            first_usual(&days)
        };
        assert_eq!(risen(28, 1300), Some(28));
        assert_eq!(risen(29, 1300), Some(0));
        assert_eq!(risen(28, 1150), Some(0));
        // Before a week there is no level that could have changed.
        assert_eq!(risen(7, 1300), Some(7));
    }
}
