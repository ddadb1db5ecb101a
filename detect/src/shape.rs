//! The shape of a week: how its hours compare.

use crate::CELLS;

const HOURS: usize = 24;
const DAYS: usize = 7;

/// How much each hour of the week has, as factors whose mean is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    factors: Vec<f64>,
    /// The variance of each factor relative to its square.
    uncertainty: Vec<f64>,
}

/// What history has in each hour of the week.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    pub(crate) counts: Vec<f64>,
    /// Bins, as far as they are complete.
    pub(crate) exposure: Vec<f64>,
}

impl Cells {
    pub(crate) fn empty() -> Self {
        Self {
            counts: vec![0.0; CELLS],
            exposure: vec![0.0; CELLS],
        }
    }

    /// What a group of hours has, and what it would have with these rates.
    fn group(&self, rates: &[f64], groups: usize, of: impl Fn(usize) -> usize) -> Group {
        let mut group = Group {
            counts: vec![0.0; groups],
            expected: vec![0.0; groups],
        };
        for (cell, rate) in rates.iter().enumerate() {
            group.counts[of(cell)] += self.counts[cell];
            group.expected[of(cell)] += self.exposure[cell] * rate;
        }
        group
    }
}

struct Group {
    counts: Vec<f64>,
    expected: Vec<f64>,
}

impl Shape {
    /// Every hour alike.
    #[must_use]
    pub fn flat() -> Self {
        Self {
            factors: vec![1.0; CELLS],
            uncertainty: vec![0.0; CELLS],
        }
    }

    /// The common shape of several sources, weighted by what each of them has.
    ///
    /// It stands in for a source's own where history is short. Without any source it is flat.
    #[must_use]
    pub fn pooled<'a>(sources: impl IntoIterator<Item = (&'a Self, f64)>) -> Self {
        let mut factors = vec![0.0; CELLS];
        let mut weights = 0.0;
        for (shape, weight) in sources {
            weights += weight;
            for (sum, factor) in factors.iter_mut().zip(&shape.factors) {
                *sum += weight * factor;
            }
        }
        if weights <= 0.0 {
            return Self::flat();
        }
        for factor in &mut factors {
            *factor /= weights;
        }
        Self {
            factors,
            uncertainty: vec![0.0; CELLS],
        }
    }

    /// The factor of an hour of the week.
    #[must_use]
    pub fn factor(&self, cell: usize) -> f64 {
        self.factors[cell % CELLS]
    }

    pub(crate) fn uncertainty(&self, cell: usize) -> f64 {
        self.uncertainty[cell % CELLS]
    }

    /// Learns the shape: hours of the day, days of the week, then what single hours of the week have
    /// beyond both. Each is believed as far as it stands out from chance.
    ///
    /// `overdispersion` is the variance of a bin's count divided by its mean.
    pub(crate) fn fit(cells: &Cells, prior: &Self, overdispersion: f64) -> Self {
        let total: f64 = cells.counts.iter().sum();
        let expected: f64 = (0..CELLS)
            .map(|cell| cells.exposure[cell] * prior.factors[cell])
            .sum();
        if total <= 0.0 || expected <= 0.0 {
            return prior.clone();
        }
        let mut rates: Vec<f64> = prior
            .factors
            .iter()
            .map(|factor| factor * total / expected)
            .collect();
        let mut hours = vec![0.0; HOURS];
        let mut days = vec![0.0; DAYS];
        // Twice, for history that does not have every hour equally often.
        for _ in 0..2 {
            let group = cells.group(&rates, HOURS, hour);
            let smooth = smoothed(&group);
            for (cell, rate) in rates.iter_mut().enumerate() {
                *rate *= smooth[hour(cell)];
            }
            // What three hours' weights of 1, 2, 1 leave of the variance of one.
            let smoothing = group
                .expected
                .iter()
                .map(|all| 0.375 * overdispersion / all.max(1.0));
            keep_larger(&mut hours, smoothing);
            let left = adjust(&mut rates, cells, &HOURS_OF_DAY, overdispersion);
            keep_larger(&mut hours, left);
            let left = adjust(&mut rates, cells, &DAYS_OF_WEEK, overdispersion);
            keep_larger(&mut days, left);
        }
        let weekend = adjust(&mut rates, cells, &HOURS_OF_WEEKEND, overdispersion);
        let near = adjust(&mut rates, cells, &NEAR_HOURS, overdispersion);
        let single = adjust(&mut rates, cells, &SINGLE_HOURS, overdispersion);
        let mean: f64 = rates.iter().sum::<f64>() / small(CELLS);
        Self {
            factors: rates.iter().map(|rate| rate / mean).collect(),
            uncertainty: (0..CELLS)
                .map(|cell| {
                    let groups = hours[hour(cell)] + days[day(cell)] + weekend[weekend_hour(cell)];
                    groups + near[cell] + single[cell]
                })
                .collect(),
        }
    }
}

/// The second of two rounds finds everything fitted and nothing uncertain.
fn keep_larger(kept: &mut [f64], others: impl IntoIterator<Item = f64>) {
    for (kept, other) in kept.iter_mut().zip(others) {
        *kept = kept.max(other);
    }
}

fn hour(cell: usize) -> usize {
    cell % HOURS
}

fn day(cell: usize) -> usize {
    cell / HOURS
}

/// The hour of the day, of Saturday and Sunday apart from the other days.
fn weekend_hour(cell: usize) -> usize {
    hour(cell) + if day(cell) >= 5 { HOURS } else { 0 }
}

/// Hours that may have something in common, and how they are seen together with their neighbours.
struct Grouping {
    groups: usize,
    of: fn(usize) -> usize,
    /// Neighbours are those of the same stretch of so many groups, a ring.
    ring: usize,
    /// The weights of a group and its neighbours on both sides; their sum is 1.
    kernel: &'static [f64],
}

const HOURS_OF_DAY: Grouping = Grouping {
    groups: HOURS,
    of: hour,
    ring: HOURS,
    kernel: &[1.0],
};

const DAYS_OF_WEEK: Grouping = Grouping {
    groups: DAYS,
    of: day,
    ring: DAYS,
    kernel: &[1.0],
};

const HOURS_OF_WEEKEND: Grouping = Grouping {
    groups: 2 * HOURS,
    of: weekend_hour,
    ring: HOURS,
    kernel: &[0.25, 0.5, 0.25],
};

/// What one day has at a time of day, such as a late Friday.
const NEAR_HOURS: Grouping = Grouping {
    groups: CELLS,
    of: |cell| cell,
    ring: CELLS,
    kernel: &[0.1, 0.2, 0.4, 0.2, 0.1],
};

/// What one hour of the week has, such as a newsletter.
const SINGLE_HOURS: Grouping = Grouping {
    groups: CELLS,
    of: |cell| cell,
    ring: CELLS,
    kernel: &[1.0],
};

impl Grouping {
    /// Values of the groups, each together with its neighbours.
    fn blend(&self, values: &[f64]) -> Vec<f64> {
        let reach = self.kernel.len() / 2;
        let at = |group: usize| {
            let start = group - group % self.ring;
            let place = group % self.ring + self.ring - reach;
            let terms = self.kernel.iter().enumerate();
            let terms =
                terms.map(|(step, weight)| weight * values[start + (place + step) % self.ring]);
            terms.sum()
        };
        (0..self.groups).map(at).collect()
    }

    /// What is left of the variance of one group.
    fn variance(&self) -> f64 {
        self.kernel.iter().map(|weight| weight * weight).sum()
    }
}

fn small(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// Counts against expected by hour of the day, smoothed over the neighbouring hours.
fn smoothed(group: &Group) -> Vec<f64> {
    let at = |values: &[f64], hour: usize| {
        values[(hour + HOURS - 1) % HOURS] + 2.0 * values[hour] + values[(hour + 1) % HOURS]
    };
    (0..HOURS)
        .map(|hour| {
            let expected = at(&group.expected, hour);
            if expected > 0.0 {
                (at(&group.counts, hour) + 0.5) / (expected + 0.5)
            } else {
                1.0
            }
        })
        .collect()
}

/// Moves the rates of each group of hours towards what it has, as far as the groups differ by more
/// than chance (a gamma prior whose variance is estimated from all groups), and gives the relative
/// variance that each group's factor still has.
fn adjust(rates: &mut [f64], cells: &Cells, grouping: &Grouping, overdispersion: f64) -> Vec<f64> {
    let group = cells.group(rates, grouping.groups, grouping.of);
    let counts = grouping.blend(&group.counts);
    let expected = grouping.blend(&group.expected);
    let noise = overdispersion * grouping.variance();
    let pairs = || counts.iter().zip(&expected);
    let excess: f64 = pairs()
        .map(|(count, expected)| (count - expected).powi(2) - noise * expected)
        .sum();
    let squares: f64 = expected.iter().map(|expected| expected * expected).sum();
    let variance = (excess / squares.max(f64::MIN_POSITIVE)).max(0.0);
    if variance <= 0.0 {
        return vec![0.0; grouping.groups];
    }
    let weight = noise / variance;
    let posterior = |(count, expected): (&f64, &f64)| (weight + count) / (weight + expected);
    let factors: Vec<f64> = pairs().map(posterior).collect();
    for (cell, rate) in rates.iter_mut().enumerate() {
        *rate *= factors[(grouping.of)(cell)];
    }
    let left = |expected: &f64| noise / (weight + expected);
    expected.iter().map(left).collect()
}

#[cfg(test)]
mod tests;
