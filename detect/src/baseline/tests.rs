use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution as _, Gamma, Poisson};

use super::*;

/// The usual count of an hour: twice as many in the evening, fewer at the weekend.
fn usual(hour: usize) -> f64 {
    let evening = if hour % 24 >= 18 { 30.0 } else { 15.0 };
    if hour / 24 % 7 >= 5 {
        0.6 * evening
    } else {
        evening
    }
}

/// Counts with a dispersion α and a factor on each hour.
fn history(seed: u64, days: usize, dispersion: f64, factor: impl Fn(usize) -> f64) -> Vec<Bin> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..days * 24)
        .map(|hour| {
            let mut mean = usual(hour) * factor(hour);
            if dispersion > 0.0 {
                let rate = Gamma::new(1.0 / dispersion, dispersion).unwrap();
                mean *= rate.sample(&mut random);
            }
            let count = if mean > 0.0 {
                Poisson::new(mean).unwrap().sample(&mut random)
            } else {
                0.0
            };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small count"
            )]
            Bin::whole(hour % CELLS, count as u32)
        })
        .collect()
}

/// The largest relative error over all hours of the week, and that of the whole week.
fn errors(baseline: &Baseline) -> (f64, f64) {
    let error = |cell: usize| (baseline.rate(cell) / usual(cell) - 1.0).abs();
    let worst = (0..CELLS).map(error).fold(0.0, f64::max);
    let sum: f64 = (0..CELLS).map(|cell| baseline.rate(cell)).sum();
    let all: f64 = (0..CELLS).map(usual).sum();
    (worst, (sum / all - 1.0).abs())
}

#[test]
fn seasons_and_dispersion_are_learned() {
    let baseline = Baseline::learn(&history(1, 56, 0.0, |_| 1.0), 24, None).unwrap();
    let (worst, level) = errors(&baseline);
    assert!(worst < 0.2 && level < 0.03, "{worst} {level}");
    assert!(
        baseline.noise().dispersion < 0.02,
        "{}",
        baseline.noise().dispersion
    );
    assert!((baseline.noise().scale - 1.0).abs() < 1e-9);
    let baseline = Baseline::learn(&history(1, 56, 0.1, |_| 1.0), 24, None).unwrap();
    assert!(
        (0.08..0.14).contains(&baseline.noise().dispersion),
        "{}",
        baseline.noise().dispersion
    );
    // Days scatter as their hours do, and no more.
    assert!((baseline.noise().scale - 1.0).abs() < 1e-9);
}

#[test]
fn breaks_of_the_past_are_not_usual() {
    // Two days without anything, a lost third of five days, a quiet morning.
    let factor = |hour: usize| match hour / 24 {
        10 | 11 => 0.0,
        20..25 => 0.67,
        30 if hour % 24 < 12 => 0.0,
        _ => 1.0,
    };
    let baseline = Baseline::learn(&history(2, 56, 0.0, factor), 24, None).unwrap();
    let (worst, level) = errors(&baseline);
    assert!(worst < 0.2 && level < 0.03, "{worst} {level}");
    assert!(!baseline.is_usual(10 * 24 + 3, 24) && baseline.is_usual(12 * 24 + 3, 24));
}

#[test]
fn a_new_level_that_holds_is_usual() {
    let factor = |hour: usize| if hour / 24 < 36 { 0.5 } else { 1.0 };
    let baseline = Baseline::learn(&history(3, 56, 0.0, factor), 24, None).unwrap();
    assert!(errors(&baseline).1 < 0.03);
}

#[test]
fn days_that_scatter_more_than_their_hours_are_seen() {
    let factor = |hour: usize| {
        if (hour / 24).is_multiple_of(2) {
            1.15
        } else {
            0.85
        }
    };
    let baseline = Baseline::learn(&history(4, 56, 0.0, factor), 24, None).unwrap();
    assert!(baseline.noise().scale > 3.0, "{}", baseline.noise().scale);
}

#[test]
fn a_short_history_learns_the_shape_from_others() {
    let shape = Baseline::learn(&history(5, 56, 0.0, |_| 1.0), 24, None).unwrap();
    let short = history(6, 4, 0.0, |_| 0.1);
    let alone = Baseline::learn(&short, 24, None).unwrap();
    let pooled = Baseline::learn(&short, 24, Some(shape.shape())).unwrap();
    // What is assumed of a source that is still learning.
    assert!(alone.noise().dispersion >= 0.05 && pooled.noise().dispersion >= 0.05);
    // Sunday evening is not in four days that begin with a Monday.
    let weekend = 6 * 24 + 20;
    let error = |baseline: &Baseline| (baseline.rate(weekend) / (0.1 * usual(weekend)) - 1.0).abs();
    assert!(
        error(&pooled) < 0.25 && error(&pooled) < error(&alone),
        "{} {}",
        error(&pooled),
        error(&alone)
    );
}

#[test]
fn nothing_at_all_teaches_nothing() {
    let empty = vec![Bin::whole(0, 0); 24 * 30];
    assert!(Baseline::learn(&empty, 24, None).is_none());
    assert!(Baseline::learn(&[], 24, None).is_none());
}

/// Whole bins of an hour, whose counts are no chance.
fn counted(days: usize, count: impl Fn(usize) -> u32) -> Vec<Bin> {
    let bin = |hour| Bin::whole(hour % CELLS, count(hour));
    (0..days * 24).map(bin).collect()
}

#[test]
fn a_bin_is_expected_as_far_as_it_is_complete() {
    let history = counted(56, |hour| if hour % 24 == 5 { 80 } else { 40 });
    let baseline = Baseline::learn(&history, 24, None).unwrap();
    let bin = Bin {
        cell: CELLS + 29,
        count: 0,
        completeness: 0.25,
    };
    let expected = baseline.expected(&bin);
    assert!((expected - 20.0).abs() < 0.2, "{expected}");
    assert!((expected - 0.25 * baseline.rate(29)).abs() < 1e-9);
}

#[test]
fn days_that_are_usual_are_counted() {
    let history = counted(56, |hour| match hour / 24 {
        10 | 30 => 0,
        _ => 40,
    });
    assert_eq!(Baseline::learn(&history, 24, None).unwrap().days(), 54);
}

/// A quarter of one day, of six hours with 40 each: four standard deviations of 240 are 62.
#[test]
fn a_quarter_of_a_day_that_stands_out_does_not_count() {
    const QUARTER: std::ops::Range<usize> = 30 * 24 + 6..30 * 24 + 12;
    let learned = |count: u32| {
        let history = counted(56, |hour| if QUARTER.contains(&hour) { count } else { 40 });
        let baseline = Baseline::learn(&history, 24, None).unwrap();
        assert_eq!(baseline.days(), 56);
        let quarter = QUARTER.map(|hour| baseline.rate(hour % CELLS));
        quarter.sum::<f64>() / 240.0
    };
    for outside in [28, 54] {
        let found = learned(outside);
        assert!((found - 1.0).abs() < 1e-3, "{outside}: {found}");
    }
    assert!(learned(48) > 1.002 && learned(33) < 0.998);
}

/// The share of the first 28 of 56 days in a level in which a day weighs half as much as one 21 days
/// later.
fn share_of_the_first_half() -> f64 {
    let weight = |days: std::ops::Range<i32>| {
        days.map(|age| 0.5_f64.powf(f64::from(age) / 21.0))
            .sum::<f64>()
    };
    weight(29..57) / weight(1..57)
}

#[test]
fn what_is_recent_weighs_more() {
    let history = counted(56, |hour| if hour / 24 < 28 { 40 } else { 44 });
    let baseline = Baseline::learn(&history, 24, None).unwrap();
    let expected = 44.0 - 4.0 * share_of_the_first_half();
    let found = (0..CELLS).map(|cell| baseline.rate(cell)).sum::<f64>() / 168.0;
    assert!((found / expected - 1.0).abs() < 1e-3, "{found} {expected}");
}

/// Counts of 40 an hour, at random as far as one can tell.
#[test]
fn how_well_the_level_is_known_follows_from_the_counts() {
    let baseline = Baseline::learn(&counted(56, |_| 40), 24, None).unwrap();
    let weights = (1..57).map(|age| 0.5_f64.powf(f64::from(age) / 21.0));
    let sum: f64 = weights.clone().sum();
    let squares: f64 = weights.map(|weight| weight * weight).sum();
    let level = squares / (sum * sum) / 960.0;
    let noise = baseline.noise();
    assert!(
        (noise.uncertainty / level - 1.0).abs() < 0.02,
        "{noise:?} {level}"
    );
    // And that of an hour beside it: three of them, by 1, 2, 1, of seven days and eight weeks.
    let hour = 0.375 / (56.0 * 40.0);
    let all = baseline.uncertainty();
    assert!((all / (level + hour) - 1.0).abs() < 0.02, "{all}");
    assert!((noise.dispersion / hour - 1.0).abs() < 0.02, "{noise:?}");
}

#[test]
fn three_weeks_are_enough_to_know_how_counts_scatter() {
    let dispersion = |days| {
        let baseline = Baseline::learn(&counted(days, |_| 40), 24, None);
        baseline.unwrap().noise().dispersion
    };
    assert!((dispersion(20) - 0.05).abs() < 1e-9);
    assert!(dispersion(21) < 0.01);
}

#[test]
fn what_is_not_complete_is_expected_to_be_less() {
    let mut history = counted(56, |hour| if hour / 24 < 52 { 40 } else { 24 });
    for bin in &mut history[52 * 24..] {
        bin.completeness = 0.6;
    }
    let baseline = Baseline::learn(&history, 24, None).unwrap();
    assert_eq!(baseline.days(), 56);
    assert!((baseline.rate(30) / 40.0 - 1.0).abs() < 1e-3);
    assert!(baseline.noise().dispersion < 1e-3, "{:?}", baseline.noise());
}

/// Over many histories: what was fitted to chance shows as less scatter, and is allowed for.
#[test]
fn dispersion_is_neither_more_nor_less_than_there_is() {
    for (days, alpha) in [(56, 0.1), (28, 0.1), (56, 0.02)] {
        let mut sum = 0.0;
        for seed in 0..60 {
            let history = history(100 + seed, days, alpha, |_| 1.0);
            let baseline = Baseline::learn(&history, 24, None).unwrap();
            let unknown = baseline.uncertainty() - baseline.noise().uncertainty;
            sum += (baseline.noise().dispersion - unknown) / 60.0;
        }
        assert!(
            (0.98..1.12).contains(&(sum / alpha)),
            "{days} {alpha}: {sum}"
        );
    }
}
