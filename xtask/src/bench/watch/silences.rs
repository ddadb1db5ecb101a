//! An endpoint that is switched off, at the finest scale: every single postback.

use anyhow::Context as _;
use postback_detect::{Baseline, Bin, CELLS, DAYS_A_MONTH, Silence};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

use super::history::{HOURS, Noise, PAST_DAYS, Scenario, count, float};

/// Days that are watched.
const WATCHED_DAYS: usize = 28;

/// Silences cost little to simulate, and false alarms are rare: so many histories for each of the others.
pub(super) const TIMES: usize = 10;

/// What is promised.
pub(super) const FALSE_ALARMS_A_MONTH: f64 = 0.1;
pub(super) const MISSING: f64 = 13.0;

/// Sources with these volumes an hour: up to 1,000 postbacks a day. Above that even Poisson silences
/// of 13 come more than 0.1 times a month.
pub(super) const SCENARIOS: [Scenario; 9] = [
    Scenario::new(2.0, Noise::Poisson),
    Scenario::new(10.0, Noise::Poisson),
    Scenario::new(40.0, Noise::Poisson),
    Scenario::new(2.0, Noise::Slight),
    Scenario::new(10.0, Noise::Slight),
    Scenario::new(40.0, Noise::Slight),
    Scenario::new(2.0, Noise::Overdispersed),
    Scenario::new(10.0, Noise::Overdispersed),
    Scenario::new(40.0, Noise::Overdispersed),
];

/// What came out for one kind of source.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Silences {
    pub(super) scenario: Scenario,
    pub(super) histories: usize,
    pub(super) months: f64,
    pub(super) false_alarms_a_month: f64,
    /// Of 95 %.
    pub(super) false_alarms_range: (f64, f64),
    /// From how many missing on anybody could alarm who knew everything about the source, at the
    /// promised rate of false alarms.
    pub(super) at_best: f64,
    /// Postbacks that were expected between the switch-off and the alarm, by the true rate: in half
    /// of the histories, and in nine of ten.
    pub(super) missing_median: f64,
    pub(super) missing_p90: f64,
    /// How long that took.
    pub(super) minutes_median: f64,
}

/// Simulates so many histories of one kind of source.
///
/// # Errors
/// When a history has not a single postback.
pub(super) fn measure(scenario: Scenario, histories: usize) -> anyhow::Result<Silences> {
    let mut alarms = 0;
    let mut found = Vec::new();
    let mut quiet = Vec::new();
    for seed in 0..histories {
        let source = Source::make(scenario, seed).context("an empty history")?;
        alarms += source.false_alarms();
        found.push(source.switched_off());
        quiet.extend(source.true_silences());
    }
    let months = float(histories * WATCHED_DAYS) / DAYS_A_MONTH;
    let mut missing: Vec<f64> = found.iter().map(|(missing, _)| *missing).collect();
    let mut hours: Vec<f64> = found.iter().map(|(_, hours)| *hours).collect();
    missing.sort_by(f64::total_cmp);
    hours.sort_by(f64::total_cmp);
    Ok(Silences {
        scenario,
        histories,
        months,
        false_alarms_a_month: float(alarms) / months,
        false_alarms_range: range(float(alarms), months),
        at_best: at_best(quiet, months),
        missing_median: missing[histories / 2],
        missing_p90: missing[histories * 9 / 10],
        minutes_median: 60.0 * hours[histories / 2],
    })
}

/// Between which rates a count of so many in so many months lies, at 95 %: Byar's approximation of the
/// exact interval.
fn range(count: f64, months: f64) -> (f64, f64) {
    const SIDES: f64 = 1.96;
    let low = 1.0 - 1.0 / (9.0 * count.max(1.0)) - SIDES / (3.0 * count.max(1.0).sqrt());
    let more = count + 1.0;
    let high = 1.0 - 1.0 / (9.0 * more) + SIDES / (3.0 * more.sqrt());
    (
        count * low.max(0.0).powi(3) / months,
        more * high.powi(3) / months,
    )
}

/// The silence that comes as often as promised, of those in so many months.
fn at_best(mut silences: Vec<f64>, months: f64) -> f64 {
    silences.sort_by(|one, other| other.total_cmp(one));
    let alarms = FALSE_ALARMS_A_MONTH * months;
    let longer = silences.iter().enumerate();
    let mut longer = longer.filter(|(index, _)| float(*index) >= alarms);
    longer.next().map_or(0.0, |(_, silence)| *silence)
}

/// One history with the time of every postback, in hours.
struct Source {
    scenario: Scenario,
    times: Vec<f64>,
    baseline: Baseline,
    threshold: f64,
    off: f64,
}

impl Source {
    fn make(scenario: Scenario, seed: usize) -> Option<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(u64::try_from(seed).unwrap_or(0));
        let mut times = Vec::new();
        let mut bins = Vec::new();
        for hour in 0..(PAST_DAYS + WATCHED_DAYS) * HOURS {
            let count = count(
                &mut random,
                scenario.usual(hour),
                scenario.noise.dispersion(),
            );
            let start = times.len();
            times.extend((0..count).map(|_| float(hour) + random.random::<f64>()));
            times[start..].sort_by(f64::total_cmp);
            bins.push(Bin::whole(hour % CELLS, count));
        }
        let past = PAST_DAYS * HOURS;
        let baseline = Baseline::learn(&bins[..past], HOURS, None)?;
        let learned = silences(&baseline, &times, 0.0, float(past));
        let events: f64 = (0..CELLS).map(|cell| baseline.rate(cell)).sum();
        let a_month = events / 7.0 * DAYS_A_MONTH;
        let silence = Silence::learn(&learned, float(PAST_DAYS), a_month, baseline.uncertainty());
        Some(Self {
            scenario,
            times,
            threshold: silence.threshold(FALSE_ALARMS_A_MONTH),
            baseline,
            off: float(past) + 24.0 * random.random_range(1.0..14.0),
        })
    }

    /// Silences in the watched days that are alarms though nothing broke.
    fn false_alarms(&self) -> usize {
        let watched = float(PAST_DAYS * HOURS);
        let silences = silences(&self.baseline, &self.times, watched, f64::MAX);
        silences
            .iter()
            .filter(|silence| **silence >= self.threshold)
            .count()
    }

    /// The long ones of the watched silences, by the true rate.
    fn true_silences(&self) -> Vec<f64> {
        let usual = |hour: usize| self.scenario.usual(hour);
        let pairs = self.times.windows(2);
        let pairs = pairs.filter(|pair| pair[0] >= float(PAST_DAYS * HOURS));
        let silences = pairs.map(|pair| between(usual, pair[0], pair[1]));
        silences.filter(|silence| *silence > 4.0).collect()
    }

    /// How many were expected, by the true rate, from the switch-off to the alarm, and the hours in
    /// between.
    fn switched_off(&self) -> (f64, f64) {
        let last = self.times.partition_point(|time| *time < self.off);
        let last = self.times[last.saturating_sub(1)];
        let step = 1.0 / 240.0;
        let mut now = self.off;
        while expected(&self.baseline, last, now) < self.threshold {
            now += step;
        }
        let usual = |hour: usize| self.scenario.usual(hour);
        (between(usual, self.off, now), now - self.off)
    }
}

/// The events expected between each event and the next, within these hours.
fn silences(baseline: &Baseline, times: &[f64], from: f64, to: f64) -> Vec<f64> {
    let pairs = times.windows(2);
    let pairs = pairs.filter(|pair| pair[0] >= from && pair[1] < to);
    pairs
        .map(|pair| expected(baseline, pair[0], pair[1]))
        .collect()
}

fn expected(baseline: &Baseline, from: f64, to: f64) -> f64 {
    between(|hour| baseline.rate(hour % CELLS), from, to)
}

/// The integral of an hourly rate.
fn between(rate: impl Fn(usize) -> f64, from: f64, to: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an hour of the history"
    )]
    let (first, last) = (from as usize, to as usize);
    (first..=last)
        .map(|hour| {
            let start = from.max(float(hour));
            let end = to.min(float(hour + 1));
            rate(hour) * (end - start).max(0.0)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_a_count_is_that_of_the_tables() {
        // Exact, by the chi-square distribution: 10 lies between 4.80 and 18.39, 0 below 3.69.
        let (low, high) = range(10.0, 1.0);
        assert!(
            (low - 4.80).abs() < 0.02 && (high - 18.39).abs() < 0.02,
            "{low} {high}"
        );
        let (low, high) = range(0.0, 1.0);
        assert!(low.abs() < 1e-9 && (high - 3.69).abs() < 0.1, "{high}");
    }
}
