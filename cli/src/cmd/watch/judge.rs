//! What a source's series say: pure.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_detect::{
    Baseline, Bin, Chart, DAYS_A_MONTH, Direction, Episode, LEARNING_DAYS, Level, Noise, Shape,
    Share, Silence, Trial, UsualShare, false_alarms_a_month, run, threshold,
};
use postback_store::annotations::Annotation;

use super::alert::{Alert, Evidence, Kind, Measured};
use super::history::{BINS_A_DAY, History, WIDTH, cell};

/// False alarms that each chart of each source may give in a month.
const FALSE_ALARMS: f64 = 0.05;

/// The same for silence, which is promised.
const FALSE_SILENCES: f64 = 0.1;

/// Days that are judged, and so not learned from, where history is long.
const JUDGED_DAYS: usize = 14;

/// Days of history without which nothing is judged.
const LEAST_DAYS: usize = 2;

/// Refused requests of a source that has none: one a day, in bursts.
const RARE_REFUSALS: f64 = 1.0 / 96.0;

/// How long before the beginning of a break a mark may stand to be its likely cause, in seconds.
const NEAR: i64 = 6 * 3_600;

/// What is known beside the series.
pub(super) struct Context<'a> {
    /// Everything up to here is loaded.
    pub(super) through: Timestamp,
    /// What sources have in common.
    pub(super) pooled: &'a Shape,
    pub(super) annotations: &'a [Annotation],
    pub(super) zone: &'a TimeZone,
}

/// How a source's history is divided.
struct Divided {
    /// Bins that are learned from.
    learned: usize,
    learning: bool,
}

impl Divided {
    fn of(history: &History) -> Option<Self> {
        let days = history.days();
        let judged = if days >= LEARNING_DAYS + JUDGED_DAYS {
            JUDGED_DAYS
        } else {
            (days.saturating_sub(LEARNING_DAYS)).max(days / 3).max(1)
        };
        let learned = days.checked_sub(judged)?;
        (days >= LEAST_DAYS).then_some(Self {
            learned: learned * BINS_A_DAY,
            learning: days < LEARNING_DAYS,
        })
    }
}

/// What sources with enough history have in common.
pub(super) fn pooled(histories: &[History]) -> Shape {
    let known: Vec<(Baseline, f64)> = histories
        .iter()
        .filter_map(|history| {
            let divided = Divided::of(history).filter(|divided| !divided.learning)?;
            let learned = &history.received[..divided.learned];
            let weight = learned.iter().map(|bin| f64::from(bin.count)).sum();
            Some((Baseline::learn(learned, BINS_A_DAY, None)?, weight))
        })
        .collect();
    Shape::pooled(
        known
            .iter()
            .map(|(baseline, weight)| (baseline.shape(), *weight)),
    )
}

/// Whether a source has too little history to be judged at all.
pub(super) fn is_too_new(history: &History) -> bool {
    Divided::of(history).is_none()
}

/// Whether a source's history is shorter than three weeks.
pub(super) fn is_learning(history: &History) -> bool {
    Divided::of(history).is_none_or(|divided| divided.learning)
}

/// The breaks of one source that go on.
pub(super) fn judge(history: &History, context: &Context<'_>) -> Vec<Alert> {
    let Some(divided) = Divided::of(history) else {
        return Vec::new();
    };
    let judge = Judge {
        history,
        context,
        divided,
    };
    let mut alerts: Vec<Alert> = judge.silence_or_volume().into_iter().collect();
    alerts.extend(judge.refusals());
    let shares = [
        (Kind::Rejects, &history.rejected),
        (Kind::Unattributed, &history.unattributed),
        (Kind::ZeroAmounts, &history.zero),
        (Kind::WholeAmounts, &history.whole),
    ];
    for (kind, trials) in shares {
        alerts.extend(judge.share(kind, None, trials));
    }
    for (currency, trials) in &history.currencies {
        alerts.extend(judge.share(Kind::Currency, Some(currency), trials));
    }
    alerts
}

struct Judge<'a> {
    history: &'a History,
    context: &'a Context<'a>,
    divided: Divided,
}

impl Judge<'_> {
    fn silence_or_volume(&self) -> Option<Alert> {
        let (learned, judged) = self.history.received.split_at(self.divided.learned);
        let baseline = Baseline::learn(learned, BINS_A_DAY, Some(self.context.pooled))?;
        if let Some(alert) = self.silence(&baseline) {
            return Some(alert);
        }
        let chart = Level::new(judged, &baseline, Direction::Down);
        let episode = open(&chart, judged.len())?;
        let measured = Measured::Count(chart.change(episode.since..judged.len()));
        Some(self.alert(Kind::Volume, None, &episode, measured))
    }

    fn refusals(&self) -> Option<Alert> {
        let (learned, judged) = self.history.refused.split_at(self.divided.learned);
        let usual = Baseline::learn(learned, BINS_A_DAY, None);
        let rate = |bin: &Bin| {
            let usual = usual.as_ref().map_or(0.0, |usual| usual.expected(bin));
            usual.max(RARE_REFUSALS)
        };
        let noise = usual.as_ref().map_or(Noise::POISSON, Baseline::noise);
        let noise = Noise {
            // Refusals come in bursts.
            dispersion: noise.dispersion.max(1.0),
            ..noise
        };
        let expected = judged.iter().map(rate).collect();
        let chart = Level::with_expected(judged, expected, noise, Direction::Up);
        let episode = open(&chart, judged.len())?;
        let measured = Measured::Count(chart.change(episode.since..judged.len()));
        Some(self.alert(Kind::Refusals, None, &episode, measured))
    }

    fn share(&self, kind: Kind, detail: Option<&str>, trials: &[Trial]) -> Option<Alert> {
        let (learned, judged) = trials.split_at(self.divided.learned);
        let usual = UsualShare::learn(learned, BINS_A_DAY)?;
        let chart = Share::new(judged, usual);
        let episode = open(&chart, judged.len())?;
        let measured = Measured::Share(chart.change(episode.since..judged.len()));
        Some(self.alert(kind, detail, &episode, measured))
    }

    fn silence(&self, baseline: &Baseline) -> Option<Alert> {
        let (_, last) = *self.history.minutes.last()?;
        let learned = self.history.time(self.divided.learned);
        let usual = |moment: Timestamp| {
            let seconds = moment.as_second() - self.history.time(0).as_second();
            let place = seconds / i64::from(WIDTH);
            usize::try_from(place).is_ok_and(|place| baseline.is_usual(place, BINS_A_DAY))
        };
        let pairs = self.history.minutes.windows(2);
        let pairs = pairs.map(|pair| (pair[0].1, pair[1].0));
        let pairs = pairs.filter(|(from, to)| *to < learned && usual(*from) && usual(*to));
        let silences: Vec<f64> = pairs
            .map(|(from, to)| self.expected(baseline, from, to))
            .collect();
        let week: f64 = (0..postback_detect::CELLS)
            .map(|cell| baseline.rate(cell))
            .sum();
        let a_month = week * 3_600.0 / f64::from(WIDTH) / 7.0 * DAYS_A_MONTH;
        let days = f64::from(u32::try_from(baseline.days()).unwrap_or(u32::MAX));
        let silence = Silence::learn(&silences, days, a_month, baseline.uncertainty());
        let missing = self.expected(baseline, last, self.context.through);
        if missing < silence.threshold(FALSE_SILENCES) {
            return None;
        }
        Some(Alert {
            source: self.history.source.clone(),
            kind: Kind::Silence,
            detail: None,
            since: last,
            measured: Measured::Missing(missing),
            evidence: Some(Evidence {
                log_likelihood_ratio: None,
                false_alarms_a_month: silence.false_alarms_a_month(missing),
            }),
            learning: self.divided.learning,
            near: self.near(last),
        })
    }

    /// What is expected between two moments.
    fn expected(&self, baseline: &Baseline, from: Timestamp, to: Timestamp) -> f64 {
        let width = i64::from(WIDTH);
        let (from, to) = (from.as_microsecond(), to.as_microsecond());
        let step = width * 1_000_000;
        let mut sum = 0.0;
        let mut begin = from;
        while begin < to {
            let end = ((begin / step + 1) * step).min(to);
            let moment = Timestamp::from_microsecond(begin).unwrap_or(Timestamp::MAX);
            let rate = baseline.rate(cell(moment, self.context.zone));
            #[expect(clippy::cast_precision_loss, reason = "a part of a quarter of an hour")]
            let part = (end - begin) as f64 / step as f64;
            sum += rate * part;
            begin = end;
        }
        sum
    }

    fn alert(
        &self,
        kind: Kind,
        detail: Option<&str>,
        episode: &Episode,
        measured: Measured,
    ) -> Alert {
        let since = self.history.time(self.divided.learned + episode.since);
        Alert {
            source: self.history.source.clone(),
            kind,
            detail: detail.map(str::to_owned),
            since,
            measured,
            evidence: Some(Evidence {
                log_likelihood_ratio: Some(episode.statistic),
                false_alarms_a_month: false_alarms_a_month(episode.statistic, BINS_A_DAY),
            }),
            learning: self.divided.learning,
            near: self.near(since),
        }
    }

    /// The mark that stands nearest before the beginning of a break, or a bin behind it: the
    /// beginning is an estimate.
    fn near(&self, since: Timestamp) -> Option<Annotation> {
        let distance = |mark: &&Annotation| mark.at.as_second() - since.as_second();
        let marks = self.context.annotations.iter();
        marks
            .filter(|mark| mark.source.is_empty() || mark.source == self.history.source)
            .filter(|mark| (-NEAR..=i64::from(WIDTH)).contains(&distance(mark)))
            .min_by_key(|mark| distance(mark).abs())
            .cloned()
    }
}

/// The break that goes on at the end of a chart.
fn open(chart: &impl Chart, bins: usize) -> Option<Episode> {
    let all: Range<usize> = 0..bins;
    let last = run(chart, all, threshold(FALSE_ALARMS, BINS_A_DAY)).pop()?;
    last.over.is_none().then_some(last)
}

#[cfg(test)]
mod tests;
