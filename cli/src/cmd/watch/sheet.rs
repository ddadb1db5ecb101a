//! How alerts are shown.

use std::io::Write as _;
use std::iter;

use serde_json::{Map, Value, json};

use super::Event;
use super::alert::Alert;
use super::look::{Look, Unjudged};
use crate::arguments::{Form, Options};
use crate::console::{Console, Tone};
use crate::ending::Failure;
use crate::output::{Cell, Sheet, plural, text, unsteering};
use crate::range::shown;

/// What is wrong now.
pub(super) fn of(look: &Look, options: &Options) -> Sheet {
    let mut sheet = Sheet::new(&[
        text("source", "Source"),
        text("kind", "Alert"),
        text("since", "Since"),
        text("what", "What"),
        text("how_sure", "How sure"),
        text("cause", "Likeliest cause"),
        text("look", "Look closer"),
    ]);
    sheet.rows = look
        .alerts
        .iter()
        .map(|alert| row(alert, options))
        .collect();
    let zone = &options.time_zone;
    sheet.fact(
        "judged_through",
        look.through.map(|through| shown(through, zone)),
    );
    sheet.fact("sources", look.judged);
    sheet.fact("gaps", look.gaps);
    let unjudged = look.unjudged.as_ref().map(Unjudged::words);
    sheet.fact("unjudged", unjudged);
    sheet.fact("learning", look.learning.clone());
    sheet.fact("too_new", look.new.clone());
    let alerts: Vec<Value> = look
        .alerts
        .iter()
        .map(|alert| details(alert, options).into())
        .collect();
    sheet.fact("alerts", alerts);
    sheet.notes = notes(look, options);
    sheet
}

fn row(alert: &Alert, options: &Options) -> Vec<Cell> {
    vec![
        Cell::text(&alert.source),
        Cell::text(alert.finding.kind()),
        Cell::Text(shown(alert.since, &options.time_zone)),
        Cell::Text(alert.finding.what()),
        Cell::Text(alert.how_sure()),
        Cell::Text(alert.cause(&options.time_zone)),
        Cell::Text(alert.look()),
    ]
}

/// What was looked at, in words.
pub(super) fn notes(look: &Look, options: &Options) -> Vec<String> {
    let unjudged = look.unjudged.as_ref().map(|why| why.words().to_owned());
    let Some(through) = look.through else {
        let nothing = "Nothing is loaded yet, so nothing can be judged. Send a postback with `postback send`, or see `postback doctor`.";
        let unjudged = unjudged.into_iter();
        return iter::once(nothing.to_owned()).chain(unjudged).collect();
    };
    let mut notes = Vec::new();
    if look.is_well() {
        notes.push(format!("All is well: {} as usual.", usual(look)));
    } else if look.judged == 0 && look.alerts.is_empty() && look.gaps > 0 {
        notes.push(format!(
            "As usual: {}. What sources send cannot be judged yet.",
            usual(look)
        ));
    }
    if !look.learning.is_empty() {
        notes.push(format!(
            "Learning, for their history is shorter than three weeks: {}. What sources have in common stands in.",
            look.learning.join(", ")
        ));
    }
    if !look.new.is_empty() {
        notes.push(format!(
            "Too new to be judged, for they have less than two days of history: {}.",
            look.new.join(", ")
        ));
    }
    if look.judged == 0 && look.gaps == 0 && look.new.is_empty() {
        notes.push("No source that is watched has any postback yet.".to_owned());
    }
    notes.extend(unjudged);
    notes.push(format!(
        "judged through {}",
        shown(through, &options.time_zone)
    ));
    notes
}

/// What was judged.
fn usual(look: &Look) -> String {
    let counted = [(look.judged, "source"), (look.gaps, "gap")];
    let told = counted.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told
        .map(|(count, what)| plural(count as u64, what))
        .collect();
    told.join(" and ")
}

/// Tells one event on stdout: a line of words, or of JSON.
pub(super) fn tell(event: &Event, options: &Options, console: &mut Console) -> Result<(), Failure> {
    let line = match options.output {
        Form::Table | Form::Csv => words(event, options),
        Form::Json | Form::Jsonl => unsteering(json(event, options).to_string()),
    };
    writeln!(console.page(), "{line}")?;
    console.finish()
}

fn words(event: &Event, options: &Options) -> String {
    let zone = &options.time_zone;
    match event {
        Event::Begun(alert) => format!(
            "{} {} {} since {}: {}\n    how sure: {}\n    likeliest cause: {}\n    look closer: {}",
            Tone::Bad.paint("ALERT"),
            alert.source,
            alert.finding.kind(),
            shown(alert.since, zone),
            alert.finding.what(),
            alert.how_sure(),
            alert.cause(&options.time_zone),
            alert.look()
        ),
        Event::Over(alert) => format!(
            "{} {} {} since {}: as usual again",
            Tone::Good.paint("OVER"),
            alert.source,
            alert.finding.kind(),
            shown(alert.since, zone)
        ),
    }
}

/// One event as a program reads it.
pub(super) fn json(event: &Event, options: &Options) -> Value {
    let (name, alert) = match event {
        Event::Begun(alert) => ("alert", alert),
        Event::Over(alert) => ("over", alert),
    };
    let mut object = details(alert, options);
    object.insert("event".to_owned(), name.into());
    Value::Object(object)
}

fn details(alert: &Alert, options: &Options) -> Map<String, Value> {
    let zone = &options.time_zone;
    let near = alert.near.as_ref().map(
        |mark| json!({"at": shown(mark.at, zone), "text": mark.text, "made_by": mark.made_by}),
    );
    let fields = [
        ("id", alert.id().into()),
        ("source", alert.source.clone().into()),
        ("kind", alert.finding.kind().into()),
        ("detail", alert.finding.detail().into()),
        ("since", shown(alert.since, zone).into()),
        ("what", alert.finding.what().into()),
        ("measured", alert.finding.measured()),
        ("evidence", json!(alert.evidence)),
        ("learning", alert.learning.into()),
        ("cause", alert.cause(&options.time_zone).into()),
        ("annotation", json!(near)),
        ("look", alert.look().into()),
    ];
    fields
        .into_iter()
        .map(|(name, value): (&str, Value)| (name.to_owned(), value))
        .collect()
}
