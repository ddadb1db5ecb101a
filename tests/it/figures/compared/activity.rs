//! Who sends, against what is usual for the hour of the week.

use jiff::{SignedDuration, Span, Timestamp, Zoned};
use serde_json::Value;

use super::World;
use crate::figures::model::{Figure, Figures, Rows, assert_figures, assert_rows, named};

const WEEKS: i64 = 8;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Postbacks of one source, in order.
struct Sent {
    times: Vec<Timestamp>,
    until: Zoned,
}

impl Sent {
    fn between(&self, from: Timestamp, to: Timestamp) -> u64 {
        self.times
            .iter()
            .filter(|at| from <= **at && **at < to)
            .count() as u64
    }

    fn last(&self, hours: i64) -> u64 {
        let until = self.until.timestamp();
        self.between(until - SignedDuration::from_hours(hours), until)
    }

    /// Counts of the hour that ended so many hours ago, in the weeks before by the clock, of those in
    /// which the source was there.
    #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
    fn weeks(&self, ago: i64) -> Vec<f64> {
        let end = &self.until - Span::new().hours(ago);
        let ends = (1..=WEEKS).map(|week| (&end - Span::new().weeks(week)).timestamp());
        let is_there = |end: &Timestamp| *end - HOUR >= self.times[0];
        let counts = ends
            .filter(is_there)
            .map(|end| self.between(end - HOUR, end) as f64);
        counts.collect()
    }

    /// How much more hours of one name differ than Poisson's: Pearson's statistic by its degrees of
    /// freedom over a week's hours.
    #[expect(clippy::cast_precision_loss, reason = "eight weeks")]
    fn unrest(&self) -> f64 {
        let hours = (0..168).map(|ago| self.weeks(ago));
        let (mut sum, mut freedom) = (0.0, 0.0);
        for counts in hours {
            let mean = mean(&counts).unwrap_or(0.0);
            if mean > 0.0 {
                sum += counts
                    .iter()
                    .map(|count| (count - mean).powi(2) / mean)
                    .sum::<f64>();
                freedom += counts.len() as f64 - 1.0;
            }
        }
        if freedom > 0.0 {
            f64::max(1.0, sum / freedom)
        } else {
            1.0
        }
    }

    /// Usual postbacks of the time since the newest one.
    fn missing(&self) -> f64 {
        let silence = self
            .until
            .timestamp()
            .duration_since(*self.times.last().unwrap());
        let (mut hours, mut ago, mut missing) = (silence.as_secs_f64() / 3_600.0, 0, 0.0);
        while hours > 0.0 && ago < 168 {
            missing += hours.min(1.0) * mean(&self.weeks(ago)).unwrap_or(0.0);
            hours -= 1.0;
            ago += 1;
        }
        missing
    }

    /// Where the next count is expected in 997 of 1,000 cases, on Anscombe's scale.
    #[expect(clippy::cast_precision_loss, reason = "eight weeks")]
    fn range(&self) -> Option<(f64, f64)> {
        let weeks = self.weeks(0);
        let middle = 2.0 * (mean(&weeks)? + 0.375).sqrt();
        let half = 3.0 * (self.unrest() * (1.0 + 1.0 / weeks.len() as f64)).sqrt();
        let count = |scaled: f64| f64::max(0.0, (f64::max(0.0, scaled) / 2.0).powi(2) - 0.375);
        Some((count(middle - half).ceil(), count(middle + half).floor()))
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
    fn state(&self) -> &'static str {
        let known = (&self.until - Span::new().weeks(3)).timestamp();
        let hour = self.last(1) as f64;
        match self.range() {
            _ if self.times[0] > known => "learning",
            _ if self.missing() >= 13.0 => "silent",
            Some((lowest, _)) if hour < lowest => "low",
            Some((_, highest)) if hour > highest => "high",
            _ => "as usual",
        }
    }

    fn figures(&self) -> Figures {
        let silence = self
            .until
            .timestamp()
            .duration_since(*self.times.last().unwrap());
        let range = self
            .range()
            .map(|(lowest, highest)| format!("{lowest:.0}–{highest:.0}"));
        vec![
            named("last", Figure::Any),
            // A text of it has whole seconds.
            named("silence", Figure::Near(silence.as_secs_f64(), 1.001)),
            named("hour", Figure::count(self.last(1))),
            named(
                "usual",
                mean(&self.weeks(0)).map_or(Figure::Missing, Figure::Mean),
            ),
            named("range", range.map_or(Figure::Missing, Figure::Text)),
            named("missing", Figure::Mean(self.missing())),
            named("day", Figure::count(self.last(24))),
            named("state", Figure::Text(self.state().to_owned())),
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "eight weeks")]
fn mean(counts: &[f64]) -> Option<f64> {
    (!counts.is_empty()).then(|| counts.iter().sum::<f64>() / counts.len() as f64)
}

fn sent(
    world: &World<'_>,
    until: &Zoned,
    is_meant: impl Fn(&super::Postback) -> bool,
) -> Option<Sent> {
    let meant = world
        .postbacks
        .iter()
        .filter(|one| one.via == "http" && is_meant(one));
    let mut times: Vec<Timestamp> = meant.map(|one| one.at).collect();
    times.retain(|at| *at < until.timestamp());
    times.sort_unstable();
    let until = until.clone();
    (!times.is_empty()).then_some(Sent { times, until })
}

fn until(meta: &Value) -> Zoned {
    let until: Timestamp = meta["until"].as_str().unwrap().parse().unwrap();
    until.in_tz(meta["time_zone"].as_str().unwrap()).unwrap()
}

/// Rows of all sources, as seen at the report's moment; refused requests by source.
pub(crate) fn assert(world: &World<'_>, zone: &str, refused: &[(&str, u64, &str)]) {
    let report = world.report(&["activity"], &["--time-zone".to_owned(), zone.to_owned()]);
    let until = until(&report["meta"]);
    let mut rows = Rows::new();
    for source in super::SOURCES {
        let mut figures = match sent(world, &until, |one| one.source == source) {
            Some(sent) => sent.figures(),
            None if source == "idle" => never(),
            None => continue,
        };
        let refused = refused.iter().find(|one| one.0 == source);
        figures.push(named(
            "refused",
            Figure::count(refused.map_or(0, |one| one.1)),
        ));
        let reason = refused.map_or(Figure::Missing, |one| Figure::Text(one.2.to_owned()));
        figures.push(named("refused_reason", reason));
        // No source of this world has an API.
        figures.push(named("endpoint", Figure::Missing));
        rows.insert(vec![source.to_owned()], figures);
    }
    let what = format!("activity in {zone}");
    assert_rows(&what, &report, &["source"], &rows);
    let silent = rows
        .values()
        .filter(|figures| figures[7].1 == Figure::Text("silent".to_owned()));
    let silent = Figure::count(silent.count() as u64);
    assert_figures(&what, &report["meta"], &vec![named("silent", silent)]);
}

fn never() -> Figures {
    let missing = [
        "last", "silence", "hour", "usual", "range", "missing", "day",
    ];
    let mut figures: Figures = missing.map(|name| named(name, Figure::Missing)).to_vec();
    figures.push(named("state", Figure::Text("never".to_owned())));
    figures
}

/// What each template brought in the last days.
pub(crate) fn assert_templates(world: &World<'_>) {
    let report = world.report(&["activity", "--by", "template"], &[]);
    let until = until(&report["meta"]);
    let mut rows = Rows::new();
    for (source, marker) in world.postbacks.iter().map(|one| (one.source, &*one.marker)) {
        let Some(sent) = sent(world, &until, |one| {
            one.source == source && *one.marker == *marker
        }) else {
            continue;
        };
        if sent.last(7 * 24) > 0 {
            let silence = until
                .timestamp()
                .duration_since(*sent.times.last().unwrap());
            let figures = vec![
                named("last", Figure::Any),
                named("silence", Figure::Near(silence.as_secs_f64(), 1.001)),
                named("day", Figure::count(sent.last(24))),
                named("week", Figure::count(sent.last(7 * 24))),
            ];
            rows.insert(vec![source.to_owned(), marker.to_owned()], figures);
        }
    }
    assert_rows(
        "activity by template",
        &report,
        &["source", "template"],
        &rows,
    );
}
