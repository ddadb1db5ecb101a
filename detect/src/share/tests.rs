use super::*;
use crate::run;

fn trials(bins: &[(u32, u32)]) -> Vec<Trial> {
    let trial = |(count, of): &(u32, u32)| Trial {
        of: *of,
        count: *count,
    };
    bins.iter().map(trial).collect()
}

/// 28 days of one bin: 10 of 100, one more and one fewer in turn.
fn usual() -> Vec<(u32, u32)> {
    (0..28).map(|day| (9 + day % 3, 100)).collect()
}

#[test]
fn the_usual_share_is_learned() {
    let learned = UsualShare::learn(&trials(&usual()), 1).unwrap();
    assert!((learned.share() - 0.1).abs() < 0.002, "{learned:?}");
    assert!((learned.scale() - 1.0).abs() < 1e-9);
    assert_eq!(UsualShare::learn(&trials(&[(0, 0); 9]), 1), None);
}

#[test]
fn a_break_of_the_past_is_not_usual() {
    let mut days = usual();
    days[10..14].fill((100, 100));
    let learned = UsualShare::learn(&trials(&days), 1).unwrap();
    assert!((learned.share() - 0.1).abs() < 0.003, "{learned:?}");
}

#[test]
fn days_that_scatter_make_it_cautious() {
    let days: Vec<(u32, u32)> = (0..28).map(|day| ([50, 150][day % 2], 1000)).collect();
    let learned = UsualShare::learn(&trials(&days), 1).unwrap();
    // χ² of a day: 50² / (1000 · 0.1 · 0.9) = 27.8.
    assert!((25.0..32.0).contains(&learned.scale()), "{learned:?}");
}

#[test]
fn the_score_is_the_ratio_of_two_probabilities() {
    let bins = trials(&[(3, 8)]);
    let usual = UsualShare {
        share: 0.2,
        scale: 1.0,
        uncertainty: 0.0,
    };
    let chart = Share::new(&bins, usual);
    // Odds of 0.25 times 5 are a share of 1.25 / 2.25.
    let risen: f64 = 1.25 / 2.25;
    let expected =
        (risen.powi(3) * (1.0 - risen).powi(5) / (0.2_f64.powi(3) * 0.8_f64.powi(5))).ln();
    let five = ODDS.iter().position(|odds| *odds == 5.0).unwrap();
    assert!((chart.score(five, 0) - expected).abs() < 1e-9);
}

#[test]
fn a_jump_is_dated_and_sized() {
    let mut bins = vec![(2, 20); 40];
    bins.extend([(11, 20); 6]);
    let bins = trials(&bins);
    let usual = UsualShare {
        share: 0.1,
        scale: 1.0,
        uncertainty: 0.0,
    };
    let chart = Share::new(&bins, usual);
    let episodes = run(&chart, 0..46, 8.0);
    assert_eq!((episodes.len(), episodes[0].since), (1, 40));
    let change = chart.change(40..46);
    assert!((change.observed - 0.55).abs() < 1e-9 && change.low > 0.4 && change.high < 0.7);
}

#[test]
fn bins_without_events_say_nothing() {
    let bins = trials(&[(0, 0); 50]);
    let usual = UsualShare {
        share: 0.1,
        scale: 1.0,
        uncertainty: 0.0,
    };
    assert_eq!(run(&Share::new(&bins, usual), 0..50, 0.1), []);
}

#[test]
fn a_share_that_is_always_whole_cannot_rise() {
    let usual = UsualShare::learn(&trials(&[(50, 50); 28]), 1).unwrap();
    let bins = trials(&[(50, 50); 50]);
    assert_eq!(run(&Share::new(&bins, usual), 0..50, 0.5), []);
}

/// Known for sure.
fn of_share(share: f64) -> UsualShare {
    UsualShare {
        share,
        scale: 1.0,
        uncertainty: 0.0,
    }
}

#[test]
fn what_is_yet_to_settle_is_expected() {
    let bins = trials(&[(12, 20)]);
    let chart = Share::settling(&bins, of_share(0.1), vec![0.5]);
    // Half of the 90 % have settled: 55 % are left by now. Odds of 1/9 times 3 are a share of 25 %,
    // and then 62.5 % are left.
    let expected = (12.0 * (0.625_f64 / 0.55).ln()) + 8.0 * (0.375_f64 / 0.45).ln();
    let three = (chart.risen.iter()).position(|risen| (risen - 0.25).abs() < 1e-9);
    assert!((chart.score(three.unwrap(), 0) - expected).abs() < 1e-9);
    assert!((chart.change(0..1).usual - 0.55).abs() < 1e-9);
    // Fisher's information of the logarithm of the odds: (0.5 · 0.1 · 0.9)² / (0.55 · 0.45) of each.
    let information = 20.0 * 0.045_f64.powi(2) / (0.55 * 0.45);
    assert!((chart.information(0) - information).abs() < 1e-9);
}

#[test]
fn late_ones_are_no_break_and_lost_ones_are() {
    let settled: Vec<f64> = (0..60)
        .map(|bin| if bin < 40 { 1.0 } else { 0.7 })
        .collect();
    // 10 of 100, and by now 100 − 0.7 · 90 = 37 of 100.
    let late: Vec<(u32, u32)> = (0..60)
        .map(|bin| (if bin < 40 { 10 } else { 37 }, 100))
        .collect();
    let bins = trials(&late);
    let chart = Share::settling(&bins, of_share(0.1), settled.clone());
    assert_eq!(run(&chart, 0..60, 8.0), []);
    assert_ne!(run(&Share::new(&bins, of_share(0.1)), 0..60, 8.0), []);
    // Where 30 % are lost beside, 56 of 100 are left.
    let lost: Vec<(u32, u32)> = (0..60)
        .map(|bin| (if bin < 40 { 10 } else { 56 }, 100))
        .collect();
    let bins = trials(&lost);
    let found = run(&Share::settling(&bins, of_share(0.1), settled), 0..60, 8.0);
    assert_eq!((found.len(), found[0].since), (1, 40));
}

/// 28 days in which a day weighs half as much as one 21 days later: first and last half.
fn halves() -> (f64, f64) {
    let weight = |back: i32| 0.5_f64.powf(f64::from(back) / 21.0);
    ((14..28).map(weight).sum(), (0..14).map(weight).sum())
}

#[test]
fn what_is_recent_weighs_more_and_days_without_events_nothing() {
    let mut days = vec![(100, 1_000); 14];
    days.extend([(120, 1_000); 14]);
    let learned = UsualShare::learn(&trials(&days), 1).unwrap();
    let (first, last) = halves();
    let expected = (0.1 * first + 0.12 * last) / (first + last);
    let found = learned.share();
    assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    // Older then, all of them alike, and more days without anything than with.
    days.resize(57, (0, 0));
    let later = UsualShare::learn(&trials(&days), 1).unwrap().share();
    assert!((later - expected).abs() < 1e-4, "{later} {expected}");
}

#[test]
fn how_well_the_share_is_known_follows_from_the_events() {
    let learned = UsualShare::learn(&trials(&[(100, 1_000); 28]), 1).unwrap();
    let weights = (0..28).map(|back: i32| 0.5_f64.powf(f64::from(back) / 21.0));
    let sum: f64 = weights.clone().sum();
    let squares: f64 = weights.map(|weight| weight * weight).sum();
    // Of the logarithm of the odds: one by the events' p (1 − p).
    let expected = 1.0 / (1_000.0 * sum * sum / squares * 0.1 * 0.9);
    let found = learned.uncertainty;
    assert!((found / expected - 1.0).abs() < 1e-3, "{found} {expected}");
    // Where days scatter, it is known so much less well.
    let days: Vec<(u32, u32)> = (0..28).map(|day| ([50, 150][day % 2], 1_000)).collect();
    let scattered = UsualShare::learn(&trials(&days), 1).unwrap();
    let found = scattered.uncertainty / scattered.scale();
    assert!((found / expected - 1.0).abs() < 0.05, "{found} {expected}");
    // Hardly anything is known of a source with hardly an event.
    let hardly = UsualShare::learn(&trials(&[(1, 2)]), 1).unwrap();
    assert!((hardly.uncertainty - 1.0).abs() < 1e-9);
}

/// 100 of 1,000 are usual: four standard deviations are 38, and two events are granted.
#[test]
fn a_day_that_stands_out_does_not_count() {
    let learned = |count: u32| {
        let mut days = vec![(100, 1_000); 28];
        days[20] = (count, 1_000);
        UsualShare::learn(&trials(&days), 1).unwrap().share()
    };
    let usual = learned(100);
    for outside in [143, 150, 57, 0] {
        assert!((learned(outside) - usual).abs() < 1e-5, "{outside}");
    }
    assert!(learned(137) > usual + 5e-4 && learned(63) < usual - 5e-4);
}

#[test]
fn no_share_is_nothing_and_none_everything() {
    let share = |count| {
        UsualShare::learn(&trials(&[(count, 1_000); 28]), 1)
            .unwrap()
            .share()
    };
    assert_eq!((share(0), share(1_000)), (RAREST, 1.0 - RAREST));
    let first = |count: f64| median(&[(count, 1_000.0)]).unwrap();
    assert_eq!((first(0.0), first(1_000.0)), (RAREST, 1.0 - RAREST));
}

#[test]
fn a_break_of_the_past_does_not_move_how_much_days_scatter() {
    // 50 of sqrt(1,000 · 0.1 · 0.9) = 9.49, and 1.4826 of a median.
    let mut days: Vec<(f64, f64)> = (0..28)
        .map(|day| ([50.0, 150.0][day % 2], 1_000.0))
        .collect();
    days[3..8].fill((1_000.0, 1_000.0));
    days.extend([(0.0, 0.0); 40]);
    let expected = (1.4826_f64 * 50.0).powi(2) / 90.0;
    assert!((robust_scale(&days, 0.1) - expected).abs() < 1e-9);
    // Days that are more alike than chance are no better known.
    assert!((robust_scale(&[(100.0, 1_000.0); 9], 0.1) - 1.0).abs() < 1e-9);
}
