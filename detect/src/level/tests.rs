use super::*;
use crate::run;

/// Γ(x) for whole x, to write the distribution down independently.
fn gamma(x: u32) -> f64 {
    (1..x).map(f64::from).product()
}

/// The negative binomial probability with a whole 1/α.
fn probability(count: u32, mean: f64, size: u32) -> f64 {
    let p = f64::from(size) / (f64::from(size) + mean);
    gamma(count + size) / (gamma(count + 1) * gamma(size))
        * p.powi(size.try_into().unwrap())
        * (1.0 - p).powi(count.try_into().unwrap())
}

#[test]
fn the_score_is_the_ratio_of_two_probabilities() {
    for count in 0..12 {
        let expected = (probability(count, 6.0 * 0.7, 4) / probability(count, 6.0, 4)).ln();
        let score = log_likelihood_ratio(f64::from(count), 6.0, 0.7, 0.25);
        assert!(
            (score - expected).abs() < 1e-9,
            "{count}: {score} {expected}"
        );
    }
}

#[test]
fn without_dispersion_it_is_poisson() {
    // 3 with 7 expected, half of it: 3 ln 0.5 + 3.5 = 1.4206.
    let score = log_likelihood_ratio(3.0, 7.0, 0.5, 0.0);
    assert!((score - 1.4206).abs() < 1e-4, "{score}");
}

/// The same, of any dispersion: Γ(count + 1/α) is the same in both probabilities.
#[test]
fn hardly_dispersed_counts_are_no_poisson_yet() {
    let (count, expected, factor, dispersion) = (50.0, 100.0, 0.5, 1e-5);
    let size: f64 = 1.0 / dispersion;
    let logarithm = |mean: f64| count * mean.ln() - (count + size) * (size + mean).ln();
    let ratio = logarithm(factor * expected) - logarithm(expected);
    let score = log_likelihood_ratio(count, expected, factor, dispersion);
    assert!((score - ratio).abs() < 1e-6, "{score} {ratio}");
    let poisson = log_likelihood_ratio(count, expected, factor, 0.0);
    assert!((score - poisson).abs() > 1e-3, "{score} {poisson}");
}

/// What bins say where whole days scatter twice as much as their bins alone.
#[test]
fn scatter_makes_bins_say_less() {
    let bins = [Bin::whole(0, 4), Bin::whole(1, 36)];
    let noise = Noise {
        dispersion: 0.25,
        scale: 2.0,
        uncertainty: 0.003,
    };
    let chart = Level::with_expected(&bins, vec![8.0, 24.0], noise, Direction::Down);
    assert!((chart.uncertainty() - 0.003).abs() < 1e-12);
    // The inverse relative variance of a count: 1/8 + 0.25 and 1/24 + 0.25, both twice.
    assert!((chart.information(0) - 1.0 / 0.75).abs() < 1e-9);
    assert!((chart.information(1) - 1.0 / (7.0 / 12.0)).abs() < 1e-9);
    let half = DROPS.iter().position(|left| *left == 0.5).unwrap();
    let alone = (probability(4, 4.0, 4) / probability(4, 8.0, 4)).ln();
    assert!((chart.score(half, 0) - alone / 2.0).abs() < 1e-9);
    // Of both: 40 observed, 32 usual; α (8² + 24²) / 32² = 0.15625, and 1/40 of chance.
    let change = chart.change(0..2);
    assert_eq!((change.observed, change.usual), (40.0, 32.0));
    let spread = 1.96 * (2.0 * (0.15625 + 0.025_f64)).sqrt();
    assert!(
        (change.high / change.observed - spread.exp()).abs() < 1e-9,
        "{change:?}"
    );
    assert!(
        (change.observed / change.low - spread.exp()).abs() < 1e-9,
        "{change:?}"
    );
}

/// The largest over all moments of change and all sizes, by brute force.
fn brute_force(counts: &[u32], expected: f64) -> f64 {
    let mut best: f64 = 0.0;
    for since in 0..counts.len() {
        let sum: f64 = counts[since..].iter().copied().map(f64::from).sum();
        let usual = expected * f64::from(u32::try_from(counts.len() - since).unwrap());
        for step in 1..1000 {
            let factor = f64::from(step) / 1000.0;
            best = best.max(sum * factor.ln() - usual * (factor - 1.0));
        }
    }
    best
}

#[test]
fn the_bank_is_nearly_the_whole_glr() {
    let counts = [11, 9, 12, 10, 8, 10, 6, 7, 5, 8, 6, 5, 7];
    let bins: Vec<Bin> = counts.iter().map(|count| Bin::whole(0, *count)).collect();
    let chart = Level::with_expected(&bins, vec![10.0; 13], Noise::POISSON, Direction::Down);
    let statistic = *crate::path(&chart, 0..13).last().unwrap();
    let whole = brute_force(&counts, 10.0);
    assert!(
        statistic <= whole + 1e-9 && statistic > 0.97 * whole,
        "{statistic} {whole}"
    );
}

#[test]
fn a_drop_is_dated_and_sized() {
    let counts: Vec<u32> = (0..60).map(|bin| if bin < 40 { 20 } else { 14 }).collect();
    let bins: Vec<Bin> = counts.iter().map(|count| Bin::whole(0, *count)).collect();
    let chart = Level::with_expected(&bins, vec![20.0; 60], Noise::POISSON, Direction::Down);
    let episodes = run(&chart, 0..60, 8.0);
    assert_eq!((episodes.len(), episodes[0].since), (1, 40));
    let change = chart.change(40..60);
    assert!((change.ratio() - 0.7).abs() < 1e-9 && change.low < 280.0 && 280.0 < change.high);
    assert!((chart.missing(40..60) - 120.0).abs() < 1e-9);
}

#[test]
fn what_cannot_be_there_yet_is_not_missed() {
    // The last ten bins have half of what they will have.
    let bin = |bin: u32| Bin {
        cell: 0,
        count: if bin < 30 { 20 } else { 10 },
        completeness: if bin < 30 { 1.0 } else { 0.5 },
    };
    let bins: Vec<Bin> = (0..40).map(bin).collect();
    let expected = bins.iter().map(|bin| 20.0 * bin.completeness).collect();
    let chart = Level::with_expected(&bins, expected, Noise::POISSON, Direction::Down);
    assert_eq!(run(&chart, 0..40, 3.0), []);
    // A bin of which nothing can be known says nothing.
    let chart = Level::with_expected(&bins, vec![0.0; 40], Noise::POISSON, Direction::Down);
    assert_eq!(run(&chart, 0..40, 0.1), []);
}

#[test]
fn a_rise_is_another_question_than_a_drop() {
    let counts: Vec<u32> = (0..40).map(|bin| if bin < 20 { 20 } else { 30 }).collect();
    let bins: Vec<Bin> = counts.iter().map(|count| Bin::whole(0, *count)).collect();
    let chart = |direction| Level::with_expected(&bins, vec![20.0; 40], Noise::POISSON, direction);
    assert_eq!(run(&chart(Direction::Down), 0..40, 3.0), []);
    assert_eq!(run(&chart(Direction::Up), 0..40, 8.0)[0].since, 20);
}
