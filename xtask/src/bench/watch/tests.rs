//! The bench in short, without R: few histories, whose seeds are fixed.

use super::charts;
use super::curve::{Paths, Point};
use super::history::{History, Kind, Noise, Question, Scenario};
use super::silences;

const HISTORIES: u64 = 40;

const SCENARIO: Scenario = Scenario::new(20.0, Noise::Poisson);

/// What `glrnb` does for Poisson counts with a known mean, by brute force: over every moment of
/// change the ratio at the likeliest size of a drop.
fn brute_force(history: &History) -> Vec<f64> {
    let watched = History::WATCHED..history.bins.len();
    let means: Vec<f64> = watched.clone().map(|hour| history.mean(hour)).collect();
    let counts: Vec<f64> = watched
        .map(|hour| f64::from(history.bins[hour].count))
        .collect();
    (0..counts.len())
        .map(|now| {
            let (mut count, mut mean, mut best) = (0.0, 0.0, 0.0_f64);
            for since in (0..=now).rev() {
                count += counts[since];
                mean += means[since];
                let left: f64 = count / mean;
                if left < 1.0 {
                    let log = if count > 0.0 { count * left.ln() } else { 0.0 };
                    best = best.max(log - mean * (left - 1.0));
                }
            }
            best
        })
        .collect()
}

/// The point of a curve at one false alarm a month.
fn at_one_a_month(kind: Kind, statistics: impl Fn(&History) -> Vec<f64>) -> Point {
    let mut paths = Paths {
        in_control: (0..HISTORIES)
            .map(|seed| statistics(&History::in_control(Question::Volume, SCENARIO, seed)))
            .collect(),
        broken: Vec::new(),
    };
    for seed in 0..HISTORIES {
        let history = History::broken(kind, SCENARIO, 1_000 + seed);
        let path = statistics(&history);
        paths.push_broken(&history, path);
    }
    paths.curve()[3]
}

#[test]
fn drops_are_found_about_as_soon_as_by_the_whole_glr_that_knows_the_mean() {
    for kind in [Kind::Deploy, Kind::Decay] {
        let ours = at_one_a_month(kind, charts::ours).median_hours.unwrap();
        let theirs = at_one_a_month(kind, brute_force).median_hours.unwrap();
        // What is learned is known less well than what is given.
        assert!(
            ours <= 1.3 * theirs + 1.0,
            "{kind:?}: {ours} against {theirs}"
        );
    }
}

#[test]
fn drops_are_found_sooner_than_by_a_day_against_a_week() {
    let ours = at_one_a_month(Kind::Deploy, charts::in_use)
        .median_hours
        .unwrap();
    let theirs = at_one_a_month(Kind::Deploy, charts::day_against_week).median_hours;
    assert!(
        ours < 0.7 * theirs.unwrap_or(f64::INFINITY),
        "{ours} against {theirs:?}"
    );
}

#[test]
fn every_kind_of_break_is_found_at_the_threshold_in_use() {
    let threshold = postback_detect::threshold(0.1, 24);
    for kind in Kind::ALL {
        let mut paths = Paths::default();
        for seed in 0..20 {
            let history = History::broken(kind, SCENARIO, seed);
            paths.push_broken(&history, charts::in_use(&history));
        }
        let found = paths.fixed(threshold).found;
        assert!(found > 0.9, "{kind:?}: {found}");
    }
}

#[test]
fn silence_is_an_alarm_by_13_missing() {
    let measured = silences::measure(Scenario::new(10.0, Noise::Poisson), 30).unwrap();
    assert!(measured.missing_median <= 13.0, "{measured:?}");
    // 28 months: three are expected at 0.1 a month, nine are hardly possible.
    assert!(measured.false_alarms_a_month < 0.3, "{measured:?}");
}
