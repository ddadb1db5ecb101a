//! What a source's series say: pure.

mod divided;
mod frame;
mod gaps;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_detect::{
    Baseline, Bin, Change, DAYS_A_MONTH, Direction, Level, Noise, Shape, Share, Silence, Trial,
    UsualShare,
};
use postback_store::annotations::Annotation;

use super::alert::{Alert, Evidence};
use super::finding::Finding;
use super::history::{BINS_A_DAY, History, WIDTH, cell};
pub(super) use divided::Divided;
use frame::Frame;
pub(super) use gaps::judge as judge_book;

/// False alarms that silence may give of each source in a month, as is promised.
const FALSE_SILENCES: f64 = 0.1;

/// Refused requests of a source that has none: one a day, in bursts.
const RARE_REFUSALS: f64 = 1.0 / 96.0;

/// What is known beside the series.
pub(super) struct Context<'a> {
    /// Everything up to here is loaded.
    pub(super) through: Timestamp,
    /// What sources have in common.
    pub(super) pooled: &'a Shape,
    pub(super) annotations: &'a [Annotation],
    pub(super) zone: &'a TimeZone,
}

/// What sources with enough history have in common.
pub(super) fn pooled(histories: &[History]) -> Shape {
    let known: Vec<(Baseline, f64)> = histories
        .iter()
        .filter_map(|history| {
            let divided = Divided::of(history.days()).filter(|divided| !divided.learning)?;
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

/// The breaks of one source that go on.
pub(super) fn judge(history: &History, context: &Context<'_>) -> Vec<Alert> {
    let Some(divided) = Divided::of(history.days()) else {
        return Vec::new();
    };
    let judge = Judge {
        history,
        context,
        frame: Frame {
            source: &history.source,
            about: std::slice::from_ref(&history.source),
            first: history.first,
            annotations: context.annotations,
            divided,
        },
    };
    let mut alerts: Vec<Alert> = judge.silence_or_volume().into_iter().collect();
    alerts.extend(judge.refusals());
    alerts.extend(judge.share(&history.rejected, Finding::Rejects));
    alerts.extend(judge.share(&history.unattributed, Finding::Unattributed));
    alerts.extend(judge.share(&history.zero, Finding::ZeroAmounts));
    alerts.extend(judge.share(&history.whole, Finding::WholeAmounts));
    for (currency, trials) in &history.currencies {
        let finding = |change| Finding::Currency {
            currency: currency.clone(),
            change,
        };
        alerts.extend(judge.share(trials, finding));
    }
    alerts
}

struct Judge<'a> {
    history: &'a History,
    context: &'a Context<'a>,
    frame: Frame<'a>,
}

impl Judge<'_> {
    fn silence_or_volume(&self) -> Option<Alert> {
        let (learned, judged) = self.history.received.split_at(self.frame.divided.learned);
        let baseline = Baseline::learn(learned, BINS_A_DAY, Some(self.context.pooled))?;
        if let Some(alert) = self.silence(&baseline) {
            return Some(alert);
        }
        let chart = Level::new(judged, &baseline, Direction::Down);
        let episode = frame::open(&chart, judged.len(), 1)?;
        let finding = Finding::Volume(chart.change(episode.since..judged.len()));
        Some(self.frame.alert(finding, &episode, 1))
    }

    fn refusals(&self) -> Option<Alert> {
        let (learned, judged) = self.history.refused.split_at(self.frame.divided.learned);
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
        let episode = frame::open(&chart, judged.len(), 1)?;
        let finding = Finding::Refusals(chart.change(episode.since..judged.len()));
        Some(self.frame.alert(finding, &episode, 1))
    }

    fn share(&self, trials: &[Trial], finding: impl Fn(Change) -> Finding) -> Option<Alert> {
        let (learned, judged) = trials.split_at(self.frame.divided.learned);
        let usual = UsualShare::learn(learned, BINS_A_DAY)?;
        let chart = Share::new(judged, usual);
        let episode = frame::open(&chart, judged.len(), 1)?;
        let finding = finding(chart.change(episode.since..judged.len()));
        Some(self.frame.alert(finding, &episode, 1))
    }

    fn silence(&self, baseline: &Baseline) -> Option<Alert> {
        let (_, last) = *self.history.minutes.last()?;
        let learned = self.history.time(self.frame.divided.learned);
        let learned = learned.as_microsecond();
        let first = self.history.time(0).as_second();
        let usual = |micros: i64| {
            let place = (micros / 1_000_000 - first) / i64::from(WIDTH);
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
        let missing = self.expected(baseline, last, self.context.through.as_microsecond());
        if missing < silence.threshold(FALSE_SILENCES) {
            return None;
        }
        let last = moment(last);
        Some(Alert {
            source: self.history.source.clone(),
            finding: Finding::Silence { missing },
            since: last,
            evidence: Some(Evidence {
                log_likelihood_ratio: None,
                false_alarms_a_month: silence.false_alarms_a_month(missing),
            }),
            learning: self.frame.divided.learning,
            near: self.frame.near(last),
        })
    }

    /// What is expected between two moments, in µs since 1970.
    fn expected(&self, baseline: &Baseline, from: i64, to: i64) -> f64 {
        let step = i64::from(WIDTH) * 1_000_000;
        let mut sum = 0.0;
        let mut begin = from;
        while begin < to {
            let end = ((begin / step + 1) * step).min(to);
            let rate = baseline.rate(cell(moment(begin), self.context.zone));
            #[expect(clippy::cast_precision_loss, reason = "a part of a quarter of an hour")]
            let part = (end - begin) as f64 / step as f64;
            sum += rate * part;
            begin = end;
        }
        sum
    }
}

/// Of µs since 1970.
fn moment(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
