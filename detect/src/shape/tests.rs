use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution as _, Poisson};

use super::*;

fn weeks(count: impl Fn(usize) -> f64) -> Cells {
    Cells {
        counts: (0..CELLS).map(|cell| 8.0 * count(cell)).collect(),
        exposure: vec![8.0; CELLS],
    }
}

#[test]
fn a_week_of_equal_hours_is_flat() {
    let shape = Shape::fit(&weeks(|_| 20.0), &Shape::flat(), 1.0);
    assert!((0..CELLS).all(|cell| (shape.factor(cell) - 1.0).abs() < 1e-3));
}

#[test]
fn days_and_hours_are_found() {
    // Twice as many in the evening, half as many at the weekend.
    let count = |cell: usize| {
        let evening = if hour(cell) >= 18 { 200.0 } else { 100.0 };
        if day(cell) >= 5 {
            evening / 2.0
        } else {
            evening
        }
    };
    let shape = Shape::fit(&weeks(count), &Shape::flat(), 1.0);
    let ratio = shape.factor(20) / shape.factor(10);
    assert!((ratio - 2.0).abs() < 0.05, "{ratio}");
    let ratio = shape.factor(5 * 24 + 10) / shape.factor(10);
    assert!((ratio - 0.5).abs() < 0.02, "{ratio}");
}

#[test]
fn one_hour_of_the_week_that_stands_out_is_found() {
    let newsletter = 2 * 24 + 9;
    let count = |cell| if cell == newsletter { 900.0 } else { 100.0 };
    let shape = Shape::fit(&weeks(count), &Shape::flat(), 1.0);
    let ratio = shape.factor(newsletter) / shape.factor(newsletter + 48);
    assert!((7.5..9.5).contains(&ratio), "{ratio}");
}

#[test]
fn pooling_weighs_by_volume() {
    let one = Shape::fit(
        &weeks(|cell| if hour(cell) < 12 { 100.0 } else { 300.0 }),
        &Shape::flat(),
        1.0,
    );
    let pooled = Shape::pooled([(&one, 3.0), (&Shape::flat(), 1.0)]);
    let expected = 0.75 * one.factor(3) + 0.25;
    assert!((pooled.factor(3) - expected).abs() < 1e-9);
    assert_eq!(Shape::pooled([]), Shape::flat());
}

/// Every hour has what the prior says, however often each was there.
#[test]
fn a_history_as_the_prior_says_leaves_it_alone() {
    let prior = Shape::fit(
        &weeks(|cell| if hour(cell) < 12 { 100.0 } else { 300.0 }),
        &Shape::flat(),
        1.0,
    );
    let exposure: Vec<f64> = (0..CELLS).map(|cell| small(1 + cell % 5)).collect();
    let counts = (0..CELLS).map(|cell| 0.2 * exposure[cell] * prior.factor(cell));
    let cells = Cells {
        counts: counts.collect(),
        exposure,
    };
    let shape = Shape::fit(&cells, &prior, 1.0);
    for cell in 0..CELLS {
        let (found, known) = (shape.factor(cell), prior.factor(cell));
        assert!((found - known).abs() < 1e-9, "{cell}: {found} {known}");
    }
}

#[test]
fn without_history_the_prior_stands_in() {
    let prior = Shape::fit(&weeks(small), &Shape::flat(), 1.0);
    assert_eq!(Shape::fit(&Cells::empty(), &prior, 1.0), prior);
    let nothing_came = weeks(|_| 0.0);
    assert_eq!(Shape::fit(&nothing_came, &prior, 1.0), prior);
    let nothing_is_complete = Cells {
        exposure: vec![0.0; CELLS],
        ..weeks(|_| 20.0)
    };
    assert_eq!(Shape::fit(&nothing_is_complete, &prior, 1.0), prior);
}

/// Where chance could have made any difference, an hour is what it and its neighbours have, by 1, 2, 1.
#[test]
fn hours_are_smoothed_over_their_neighbours() {
    const ALL_BY_CHANCE: f64 = 1e9;
    let of_hour = |hour: usize| [3.0, 40.0, 11.0, 7.0, 90.0][hour % 5];
    let shape = Shape::fit(
        &weeks(|cell| of_hour(hour(cell))),
        &Shape::flat(),
        ALL_BY_CHANCE,
    );
    let counts: Vec<f64> = (0..24).map(|hour| 7.0 * 8.0 * of_hour(hour)).collect();
    let mean = counts.iter().sum::<f64>() / 24.0;
    let mut rates = vec![mean; 24];
    for _ in 0..2 {
        let three =
            |of: &[f64], hour: usize| of[(hour + 23) % 24] + 2.0 * of[hour] + of[(hour + 1) % 24];
        rates = (0..24)
            .map(|hour| rates[hour] * (three(&counts, hour) + 0.5) / (three(&rates, hour) + 0.5))
            .collect();
    }
    let sum: f64 = rates.iter().sum();
    for cell in 0..CELLS {
        let expected = rates[hour(cell)] * 24.0 / sum;
        let found = shape.factor(cell);
        assert!(
            (found / expected - 1.0).abs() < 1e-9,
            "{cell}: {found} {expected}"
        );
    }
}

/// A quarter, a half and a quarter of three hours leave 1/16 + 1/4 + 1/16 of the variance of one.
#[test]
fn a_flat_week_is_as_uncertain_as_three_of_its_hours() {
    let shape = Shape::fit(&weeks(|_| 100.0), &Shape::flat(), 2.0);
    // Seven days, eight weeks, 100 each; twice the variance of Poisson.
    let expected = 0.375 * 2.0 / 5_600.0;
    for cell in [0, 5, 23, 24, 100, CELLS - 1, CELLS, 2 * CELLS + 7] {
        let found = shape.uncertainty(cell);
        assert!((found / expected - 1.0).abs() < 1e-9, "{cell}: {found}");
    }
    // Less than one in an hour of the day says no more than one.
    let hardly = Cells {
        counts: vec![0.01; CELLS],
        exposure: vec![8.0; CELLS],
    };
    let found = Shape::fit(&hardly, &Shape::flat(), 1.0).uncertainty(0);
    assert!((found - 0.375).abs() < 1e-9, "{found}");
}

#[test]
fn saturday_and_sunday_have_hours_of_their_own() {
    let of = |day: usize, hour: usize| weekend_hour(day * 24 + hour);
    assert_eq!(
        (of(0, 10), of(4, 23), of(5, 0), of(6, 23)),
        (10, 23, 24, 47)
    );
}

#[test]
fn groups_are_seen_with_their_neighbours_in_a_ring() {
    let blended = |grouping: &Grouping, group: usize| {
        let mut values = vec![0.0; grouping.groups];
        values[group] = 100.0;
        let blended = grouping.blend(&values).into_iter().enumerate();
        let some = blended.filter(|(_, value)| *value != 0.0);
        some.map(|(group, value)| (group, value.round()))
            .collect::<Vec<_>>()
    };
    // The hours of the weekend have a ring of their own.
    let late = blended(&HOURS_OF_WEEKEND, 23);
    assert_eq!(late, [(0, 25.0), (22, 25.0), (23, 50.0)]);
    let midnight = blended(&HOURS_OF_WEEKEND, 24);
    assert_eq!(midnight, [(24, 50.0), (25, 25.0), (47, 25.0)]);
    let sunday = blended(&NEAR_HOURS, CELLS - 1);
    let near = [(0, 20.0), (1, 10.0), (165, 10.0), (166, 20.0), (167, 40.0)];
    assert_eq!(sunday, near);
    assert_eq!(blended(&SINGLE_HOURS, 9), [(9, 100.0)]);
    for (grouping, left) in [
        (&HOURS_OF_WEEKEND, 0.375),
        (&NEAR_HOURS, 0.26),
        (&DAYS_OF_WEEK, 1.0),
    ] {
        assert!((grouping.variance() - left).abs() < 1e-12);
    }
}

/// Mean squared relative error of the factors, and what is told of it, over many histories.
fn calibration(usual: impl Fn(usize) -> f64, weeks: f64) -> (f64, f64) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mean = (0..CELLS).map(&usual).sum::<f64>() / small(CELLS);
    let (mut error, mut told, mut terms) = (0.0, 0.0, 0.0);
    for _ in 0..60 {
        let counts = (0..CELLS).map(|cell| {
            Poisson::new(weeks * usual(cell))
                .unwrap()
                .sample(&mut random)
        });
        let cells = Cells {
            counts: counts.collect(),
            exposure: vec![weeks; CELLS],
        };
        let shape = Shape::fit(&cells, &Shape::flat(), 1.0);
        for cell in 0..CELLS {
            error += (shape.factor(cell) * mean / usual(cell) - 1.0).powi(2);
            told += shape.uncertainty(cell);
            terms += 1.0;
        }
    }
    (error / terms, told / terms)
}

#[test]
fn what_is_not_known_of_an_hour_is_told() {
    let by_hour = |cell| if hour(cell) >= 18 { 40.0 } else { 20.0 };
    let by_day = |cell| {
        if day(cell).is_multiple_of(2) {
            3.0
        } else {
            1.0
        }
    };
    let by_weekend = |cell| match (day(cell) >= 5, hour(cell)) {
        (true, 6..12) => 60.0,
        (false, 16..22) => 40.0,
        _ => 20.0,
    };
    let late_friday = |cell| {
        if (4 * 24 + 18..4 * 24 + 24).contains(&cell) {
            90.0
        } else {
            20.0
        }
    };
    let newsletter = |cell| if cell == 2 * 24 + 9 { 300.0 } else { 20.0 };
    let shapes: [(&str, &dyn Fn(usize) -> f64); 5] = [
        ("hour", &by_hour),
        ("day", &by_day),
        ("weekend", &by_weekend),
        ("late Friday", &late_friday),
        ("newsletter", &newsletter),
    ];
    for (name, usual) in shapes {
        let (error, told) = calibration(usual, 8.0);
        let ratio = error / told;
        assert!((0.6..1.6).contains(&ratio), "{name}: {error} {told}");
    }
}
