//! The figures as Markdown.

use super::curve::RATES;
use super::figures::{Breaks, Figures, Method};
use super::glrnb::Given;
use super::silences::Silences;
use crate::bench::page::{table, targets_table};

pub(super) fn write(figures: &Figures) -> String {
    let head = ["break", "source", "method"];
    let rates = RATES.map(|rate| format!("{rate} a month"));
    let head: Vec<&str> = head
        .into_iter()
        .chain(rates.iter().map(String::as_str))
        .collect();
    let ratio_head: Vec<&str> = ["break", "source"]
        .into_iter()
        .chain(rates.iter().map(String::as_str))
        .collect();
    let fixed = [
        "break",
        "source",
        "ours: false alarms a month",
        "delay",
        "10 %: false alarms a month",
        "delay",
        "20 %: false alarms a month",
        "delay",
    ];
    format!(
        "{}; {} histories of each break and source.\n\n\
         ### Median delay in hours by rate of false alarms\n\n{}\n\
         ### Ours against glrnb\n\n{}\n\
         ### In use, and fixed thresholds\n\n{}\n\
         ### Silence\n\n{}\n### Targets\n\n{}",
        figures.host.line(),
        figures.histories,
        table(&head, figures.breaks.iter().flat_map(curves)),
        table(&ratio_head, figures.breaks.iter().map(ratios)),
        table(&fixed, figures.breaks.iter().map(thresholds)),
        table(
            &[
                "source",
                "months",
                "false alarms a month",
                "95 %",
                "silence that comes 0.1 times a month",
                "missing until the alarm: half",
                "nine of ten",
                "minutes, half",
            ],
            figures.silences.iter().map(silence),
        ),
        targets_table(&figures.targets)
    )
}

fn curves(found: &Breaks) -> Vec<Vec<String>> {
    let row = |(method, points): &(Method, Vec<super::curve::Point>)| {
        let name = match method {
            Method::Ours => "ours",
            Method::InUse => "ours, learning every day",
            Method::Glrnb(Given::Fitted) => "glrnb",
            Method::Glrnb(Given::Told) => "glrnb, told the truth",
            Method::DayAgainstWeek => "day against week",
        };
        let mut row = vec![
            found.kind.name().to_owned(),
            found.scenario.name(),
            name.to_owned(),
        ];
        row.extend(points.iter().map(|point| hours(point.median_hours)));
        row
    };
    found.curves.iter().map(row).collect()
}

/// How many times as long ours takes at equal rates of false alarms.
fn ratios(found: &Breaks) -> Vec<String> {
    let mut row = vec![found.kind.name().to_owned(), found.scenario.name()];
    let ratio = |rate| {
        found
            .ratio(rate)
            .map_or_else(String::new, |ratio| format!("{ratio:.2}"))
    };
    row.extend(RATES.map(ratio));
    row
}

fn thresholds(found: &Breaks) -> Vec<String> {
    let mut row = vec![found.kind.name().to_owned(), found.scenario.name()];
    for point in found.in_use.iter().chain(&found.fixed) {
        row.push(format!("{:.2}", point.false_alarms_a_month));
        row.push(hours(point.median_hours));
    }
    row
}

fn hours(hours: Option<f64>) -> String {
    hours.map_or_else(|| "not found".to_owned(), |hours| format!("{hours:.1}"))
}

fn silence(silences: &Silences) -> Vec<String> {
    let (low, high) = silences.false_alarms_range;
    vec![
        silences.scenario.name(),
        format!("{:.0}", silences.months),
        format!("{:.3}", silences.false_alarms_a_month),
        format!("{low:.3} to {high:.3}"),
        format!("{:.1}", silences.at_best),
        format!("{:.1}", silences.missing_median),
        format!("{:.1}", silences.missing_p90),
        format!("{:.0}", silences.minutes_median),
    ]
}
