//! `postback annotate`: what people did, to be held beside what the numbers do.

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp, Zoned};
use postback_store::annotations::{self, Annotation};
use postback_store::{Role, client};
use uuid::Uuid;

use super::{load, source};
use crate::arguments::{Form, Options};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::mark;
use crate::output::{Cell, Column, Sheet, printable, text};
use crate::range::{self, Range, RangeOptions, shown};
use crate::servers::Trouble;

/// Of marks.
const COLUMNS: [Column; 4] = [
    text("at", "At"),
    text("text", "What"),
    text("source", "Source"),
    text("made_by", "By"),
];

/// A mark is a line of words, not a document.
const LONGEST: usize = 500;

/// A mark is of what happened; a day is for what is about to, and for clocks.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Mark what happened (a deploy, a change at a network), so that breaks can be told from it
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        postback annotate 'deployed checkout 4.2'\n  \
        postback annotate 'rakuten changed our URL' --source rakuten-us --at 2026-09-01T10:00\n  \
        postback annotate ls --from 7d\n\n\
        `postback watch` names a mark that stands near the beginning of a break."
)]
pub(crate) struct Annotate {
    #[command(subcommand)]
    command: Option<Command>,
    /// What happened
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// When it happened [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The source that it is about [default: all of them]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the marks
    Ls {
        #[command(flatten)]
        range: RangeOptions,
    },
}

impl Annotate {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let now = Zoned::now().with_time_zone(options.time_zone.clone());
        match (&self.command, &self.text) {
            (Some(Command::Ls { range }), _) => list(range.resolve(&now)?, options, console).await,
            (None, Some(text)) => self.add(text, &now, options, console).await,
            (None, None) => Err(Failure::Usage(
                "say what happened: postback annotate TEXT".to_owned(),
            )),
        }
    }

    async fn add(
        &self,
        text: &str,
        now: &Zoned,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > LONGEST {
            return Err(Failure::Usage(format!(
                "a mark has 1 to {LONGEST} characters: say in a few words what happened"
            )));
        }
        let at = match &self.at {
            Some(at) => range::moment("--at", at, now)?,
            None => now.timestamp(),
        };
        check_time(at, now)?;
        let loaded = load(options, console)?;
        if let Some(name) = &self.source {
            source::find(name, &loaded.settings)?;
        }
        let source = self.source.as_deref().unwrap_or_default();
        let text = printable(text);
        mark::add(&loaded.settings.clickhouse, &text, source, at).await?;
        console.note(format_args!(
            "marked at {}: {text}",
            shown(at, &options.time_zone),
        ));
        // What people read was said; programs read the mark as `ls` lists it.
        if options.output != Form::Table {
            let mut sheet = Sheet::new(&COLUMNS);
            let mark = Annotation {
                id: Uuid::nil(),
                at,
                text,
                source: source.to_owned(),
                made_by: mark::user(),
            };
            sheet.rows.push(row(&mark, options));
            sheet.write(options, console)?;
        }
        Ok(Ending::Done)
    }
}

/// Refuses a time that is mistyped: nobody would find the mark beside a break.
fn check_time(at: Timestamp, now: &Zoned) -> Result<(), Failure> {
    if now.timestamp().duration_until(at) <= AHEAD {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "--at {} is more than a day ahead: marks are of what happened; check the year and the day",
        shown(at, now.time_zone())
    )))
}

async fn list(range: Range, options: &Options, console: &mut Console) -> Result<Ending, Failure> {
    let loaded = load(options, console)?;
    let clickhouse = &loaded.settings.clickhouse;
    let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
    let client = client(clickhouse, Role::Query).map_err(trouble)?;
    let marks = annotations::between(&client, range.from, range.to)
        .await
        .map_err(trouble)?;
    let mut sheet = Sheet::new(&COLUMNS);
    sheet.rows = marks.iter().map(|mark| row(mark, options)).collect();
    let zone = &options.time_zone;
    let ends: [(&str, Timestamp); 2] = [("from", range.from), ("to", range.to)];
    for (name, end) in ends {
        sheet.fact(name, shown(end, zone));
    }
    if sheet.rows.is_empty() {
        sheet.notes.push(
            "Nothing is marked in this time. Mark a deploy with: postback annotate 'deployed checkout 4.2'"
                .to_owned(),
        );
    }
    sheet.write(options, console)?;
    Ok(Ending::Done)
}

fn row(mark: &Annotation, options: &Options) -> Vec<Cell> {
    vec![
        Cell::Text(shown(mark.at, &options.time_zone)),
        Cell::Text(printable(&mark.text)),
        Cell::text(&mark.source),
        Cell::Text(printable(&mark.made_by)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_at_most_a_day_ahead() {
        let now: Zoned = "2026-09-15T10:00:00[Europe/Berlin]".parse().unwrap();
        let check = |at: &str| check_time(at.parse().unwrap(), &now);
        for good in ["1999-01-01T00:00:00Z", "2026-09-16T08:00:00Z"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for late in ["2026-09-16T08:00:01Z", "2099-01-01T00:00:00Z"] {
            let Err(Failure::Usage(words)) = check(late) else {
                panic!("{late} is taken");
            };
            assert!(words.contains("more than a day ahead"), "{words}");
        }
    }
}
