//! Simulated histories: what a source sends by the hour, and what breaks.

use clap::ValueEnum;
use postback_detect::{Bin, CELLS, Trial};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Beta, Binomial, Distribution as _, Gamma, Poisson};
use serde::Serialize;

pub(super) const HOURS: usize = 24;

/// Days before those that are watched.
pub(super) const PAST_DAYS: usize = 56;

/// Days that are watched where nothing breaks.
pub(super) const CONTROL_DAYS: usize = 14;

/// What is still lost of 100 % when "a part" of something breaks.
const PART: f64 = 0.3;

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A deploy loses 30 % of the postbacks.
    Deploy,
    /// The click id is gone from 30 % of the transactions that had one.
    Identifier,
    /// 30 % of the amounts are zero.
    Field,
    /// Nothing comes any more.
    Endpoint,
    /// 30 % of the transactions come in another currency.
    Currency,
    /// 2 % fewer postbacks every day.
    Decay,
}

/// Which series shows a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Question {
    Volume,
    Unattributed,
    Zero,
    Currency,
}

impl Question {
    pub(super) const ALL: [Self; 4] =
        [Self::Volume, Self::Unattributed, Self::Zero, Self::Currency];

    /// The usual share; none for a count.
    pub(super) fn share(self) -> Option<f64> {
        match self {
            Self::Volume => None,
            Self::Unattributed => Some(0.08),
            Self::Zero => Some(0.01),
            Self::Currency => Some(0.02),
        }
    }
}

impl Kind {
    pub(super) const ALL: [Self; 6] = [
        Self::Deploy,
        Self::Identifier,
        Self::Field,
        Self::Endpoint,
        Self::Currency,
        Self::Decay,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy loses 30 %",
            Self::Identifier => "identifier lost (30 %)",
            Self::Field => "wrong field: zero amounts (30 %)",
            Self::Endpoint => "endpoint switched off",
            Self::Currency => "currency swapped (30 %)",
            Self::Decay => "decay of 2 % a day",
        }
    }

    pub(super) fn question(self) -> Question {
        match self {
            Self::Deploy | Self::Endpoint | Self::Decay => Question::Volume,
            Self::Identifier => Question::Unattributed,
            Self::Field => Question::Zero,
            Self::Currency => Question::Currency,
        }
    }

    /// Days that are watched after the break.
    fn days_after(self) -> usize {
        if self == Self::Decay { 16 } else { 7 }
    }

    /// What is left of the volume so many hours after the break began.
    fn left(self, hours: usize) -> f64 {
        match self {
            Self::Deploy => 1.0 - PART,
            Self::Endpoint => 0.0,
            Self::Decay => 0.98_f64.powf(float(hours) / float(HOURS)),
            Self::Identifier | Self::Field | Self::Currency => 1.0,
        }
    }
}

/// How counts scatter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Noise {
    /// Counts at random.
    Poisson,
    /// The rate of each hour varies by 14 %: α = 0.02, and a correlation of 0.01.
    Slight,
    /// The rate of each hour varies by 22 %: a negative binomial count with α = 0.05. Shares vary
    /// from hour to hour with a correlation of 0.02.
    Overdispersed,
}

impl Noise {
    pub(super) fn dispersion(self) -> f64 {
        match self {
            Self::Poisson => 0.0,
            Self::Slight => 0.02,
            Self::Overdispersed => 0.05,
        }
    }

    fn correlation(self) -> f64 {
        match self {
            Self::Poisson => 0.0,
            Self::Slight => 0.01,
            Self::Overdispersed => 0.02,
        }
    }
}

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Scenario {
    /// Postbacks an hour, on average.
    pub(super) volume: f64,
    pub(super) noise: Noise,
}

impl Scenario {
    pub(super) const ALL: [Self; 4] = [
        Self::new(4.0, Noise::Poisson),
        Self::new(40.0, Noise::Poisson),
        Self::new(4.0, Noise::Overdispersed),
        Self::new(40.0, Noise::Overdispersed),
    ];

    pub(super) const fn new(volume: f64, noise: Noise) -> Self {
        Self { volume, noise }
    }

    pub(super) fn name(self) -> String {
        let noise = match self.noise {
            Noise::Poisson => "Poisson",
            Noise::Slight => "slightly overdispersed",
            Noise::Overdispersed => "overdispersed",
        };
        format!("{} an hour, {noise}", self.volume)
    }

    /// The expected count of an hour since a Monday's midnight.
    pub(super) fn usual(self, hour: usize) -> f64 {
        self.volume * season(hour)
    }
}

/// Shops are quiet at night and busy in the evening; later at the weekend, with more on Sundays.
fn season(hour: usize) -> f64 {
    /// The mean of e^(0.9 cos x), so that the factors have a mean of about 1.
    const MEAN: f64 = 1.213;
    const DAYS: [f64; 7] = [1.0, 0.95, 0.95, 1.0, 1.05, 0.95, 1.1];
    let day = hour / HOURS % 7;
    let peak = if day >= 5 { 21.0 } else { 20.0 };
    let angle = std::f64::consts::TAU * (float(hour % HOURS) - peak) / float(HOURS);
    DAYS[day] * (0.9 * angle.cos()).exp() / MEAN
}

/// One history: the past, then what is watched.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) question: Question,
    pub(super) scenario: Scenario,
    /// Postbacks of each hour.
    pub(super) bins: Vec<Bin>,
    /// Of each hour's transactions, those with the property; empty for a count.
    pub(super) trials: Vec<Trial>,
    /// The first hour of the break.
    pub(super) broken: Option<usize>,
}

impl History {
    /// The first hour that is watched.
    pub(super) const WATCHED: usize = PAST_DAYS * HOURS;

    /// A history in which nothing breaks.
    pub(super) fn in_control(question: Question, scenario: Scenario, seed: u64) -> Self {
        Self::make(question, scenario, None, CONTROL_DAYS, seed)
    }

    /// A history with a break between the fourth and the seventh day that is watched.
    pub(super) fn broken(kind: Kind, scenario: Scenario, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x9e37_79b9_7f4a_7c15);
        let broken = Self::WATCHED + random.random_range(3 * HOURS..7 * HOURS);
        let days = broken / HOURS + kind.days_after() - PAST_DAYS;
        Self::make(kind.question(), scenario, Some((kind, broken)), days, seed)
    }

    fn make(
        question: Question,
        scenario: Scenario,
        broken: Option<(Kind, usize)>,
        days: usize,
        seed: u64,
    ) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut history = Self {
            question,
            scenario,
            bins: Vec::new(),
            trials: Vec::new(),
            broken: broken.map(|(_, hour)| hour),
        };
        for hour in 0..(PAST_DAYS + days) * HOURS {
            let after = broken.and_then(|(kind, broken)| Some((kind, hour.checked_sub(broken)?)));
            let left = after.map_or(1.0, |(kind, hours)| kind.left(hours));
            let mean = left * scenario.usual(hour);
            let count = count(&mut random, mean, scenario.noise.dispersion());
            history.bins.push(Bin::whole(hour % CELLS, count));
            if let Some(usual) = question.share() {
                let share = after.map_or(usual, |_| usual + (1.0 - usual) * PART);
                let with = part(&mut random, count, share, scenario.noise.correlation());
                history.trials.push(Trial {
                    of: count,
                    count: with,
                });
            }
        }
        history
    }

    /// What was expected of an hour without a break, given how many postbacks came where the
    /// question is a share.
    pub(super) fn mean(&self, hour: usize) -> f64 {
        match self.question.share() {
            None => self.scenario.usual(hour),
            Some(share) => share * f64::from(self.trials[hour].of),
        }
    }
}

/// A Poisson count, or a negative binomial one.
pub(super) fn count(random: &mut ChaCha8Rng, mean: f64, dispersion: f64) -> u32 {
    let mean = mean * varied(random, dispersion);
    Poisson::new(mean).map_or(0, |poisson| whole(poisson.sample(random)))
}

/// A factor with mean 1 and this variance.
pub(super) fn varied(random: &mut ChaCha8Rng, variance: f64) -> f64 {
    Gamma::new(1.0 / variance, variance).map_or(1.0, |gamma| gamma.sample(random))
}

fn part(random: &mut ChaCha8Rng, of: u32, share: f64, correlation: f64) -> u32 {
    let weight = 1.0 / correlation - 1.0;
    let share = match Beta::new(share * weight, (1.0 - share) * weight) {
        Ok(beta) if correlation > 0.0 => beta.sample(random),
        _ => share,
    };
    let with = Binomial::new(u64::from(of), share).map_or(0, |binomial| binomial.sample(random));
    u32::try_from(with).unwrap_or(of)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that was sampled as a whole, positive number"
)]
fn whole(sample: f64) -> u32 {
    sample as u32
}

pub(super) fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_has_its_volume() {
        let scenario = Scenario::new(10.0, Noise::Poisson);
        let week: f64 = (0..CELLS).map(|hour| scenario.usual(hour)).sum();
        assert!((week / float(CELLS) - 10.0).abs() < 0.1, "{week}");
    }

    #[test]
    fn overdispersion_is_what_it_says() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let counts = (0..20_000).map(|_| f64::from(count(&mut random, 20.0, 0.05)));
        let squares: f64 = counts.map(|count| (count - 20.0).powi(2)).sum::<f64>() / 20_000.0;
        // 20 + 0.05 · 20².
        assert!((squares - 40.0).abs() < 2.0, "{squares}");
    }

    #[test]
    fn breaks_break() {
        let scenario = Scenario::new(40.0, Noise::Poisson);
        let history = History::broken(Kind::Endpoint, scenario, 3);
        let broken = history.broken.unwrap();
        assert!(history.bins[broken..].iter().all(|bin| bin.count == 0));
        assert!(history.bins[..broken].iter().any(|bin| bin.count > 0));
        let history = History::broken(Kind::Identifier, scenario, 3);
        let after = &history.trials[history.broken.unwrap()..];
        let (with, of) = after.iter().fold((0, 0), |(with, of), trial| {
            (with + trial.count, of + trial.of)
        });
        let share = f64::from(with) / f64::from(of);
        assert!((share - 0.356).abs() < 0.03, "{share}");
    }
}
