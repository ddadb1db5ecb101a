//! What all reports do around their own figures: the question, the servers, the words for nothing,
//! the footer.

use jiff::{Timestamp, Zoned};
use postback_store::StoreError;
use postback_store::reports::completeness::Completeness;
use postback_store::reports::question::{
    self, ComparisonError, Condition, DateBy, Dimension, Question, Table,
};
use postback_store::reports::{Both, Reader};
use serde_json::{Value, json};

use super::compared::{self, Compared};
use super::footer::Footer;
use super::sources;
use crate::arguments::Options;
use crate::cmd::{Loaded, load};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag::{self, GroupLag};
use crate::output::{Column, Sheet};
use crate::range::shown;
use crate::servers::Trouble;

/// A report's figures.
pub(super) struct Answer {
    /// The question's names first, in the question's order, then the report's own columns.
    pub(super) sheet: Sheet,
    /// Whether the question is about anything: a sheet without rows can also mean that all is well.
    pub(super) is_about_something: bool,
}

/// Of the range, and of the one before it where it is compared.
pub(super) struct Answers {
    now: Answer,
    before: Option<Answer>,
}

impl Answers {
    /// Each told in the same way.
    pub(super) fn of<T>(
        found: &Both<T>,
        question: &Question,
        before: Option<&Question>,
        tell: impl Fn(&T, &Question) -> Answer,
    ) -> Self {
        let then = found.before.as_ref().zip(before);
        Self {
            now: tell(&found.now, question),
            before: then.map(|(found, before)| tell(found, before)),
        }
    }
}

impl From<Answer> for Answers {
    /// Of a report that is not compared.
    fn from(now: Answer) -> Self {
        Self { now, before: None }
    }
}

impl From<Sheet> for Answer {
    /// What has no row is about nothing.
    fn from(sheet: Sheet) -> Self {
        Self {
            is_about_something: !sheet.rows.is_empty(),
            sheet,
        }
    }
}

/// A report's own part.
pub(super) trait Report {
    /// As it stands on command lines.
    const NAME: &'static str;
    /// What its rows count.
    const TABLE: Table;
    /// Whether it shows money.
    const OF_MONEY: bool;
    /// What `--compare` compares.
    const COMPARED: Compared = Compared {
        keys: 0,
        figures: &[],
    };

    /// Asks, as often as it takes. `before` is the range that this one is compared with; a report with
    /// nothing `COMPARED` is never given one.
    async fn answer(
        &self,
        reader: &Reader,
        question: &Question,
        before: Option<&Question>,
    ) -> Result<Answers, StoreError>;
}

/// Columns that name a row.
pub(super) fn names(question: &Question) -> Vec<Column> {
    question.names().into_iter().map(Column::named).collect()
}

/// A report of money has rows by currency whatever else they are by.
pub(super) fn without_currency(mut question: Question) -> Question {
    let currency = question::Column::of(Table::Conversions, "currency").map(Dimension::Column);
    question.by.retain(|by| Some(by) != currency.as_ref());
    question
}

/// Now, in the zone of `--time-zone`.
pub(super) fn now(options: &Options) -> Zoned {
    Zoned::now().with_time_zone(options.time_zone.clone())
}

/// Asks, and writes the answer.
pub(super) async fn run<R: Report>(
    report: &R,
    question: &Question,
    compare: bool,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let before = compare.then(|| question.before()).transpose();
    let before = before.map_err(|error| Failure::Usage(incomparable(&error)))?;
    let loaded = load(options, console)?;
    run_loaded(
        report,
        (question, before.as_ref()),
        &loaded,
        options,
        console,
    )
    .await
}

/// The same where the configuration is loaded, with the period to compare with.
pub(super) async fn run_loaded<R: Report>(
    report: &R,
    (question, before): (&Question, Option<&Question>),
    loaded: &Loaded,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let clickhouse = &loaded.settings.clickhouse;
    let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
    let reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
    sources::check(&question.only, &loaded.settings, &reader).await?;
    // What is loaded is asked first: what comes in meanwhile is then counted and not claimed.
    let complete = reader.completeness(question.from, question.to, &question.only);
    let complete = complete.await.map_err(trouble)?;
    let (answer, lag) = tokio::join!(
        answer(report, question, before, &reader),
        lag::of_generation(&loaded.settings, reader.generation()),
    );
    let Answer {
        mut sheet,
        is_about_something,
    } = answer.map_err(trouble)?;
    for (name, value) in facts(R::NAME, question) {
        sheet.fact(name, value);
    }
    if let Some(before) = before {
        tell_before(&mut sheet, question, before);
    }
    if !is_about_something && sheet.rows.is_empty() {
        let notes = nothing(R::TABLE, question, complete.loaded_through);
        sheet.notes.splice(0..0, notes);
    }
    let about = About {
        of_money: R::OF_MONEY,
        of_rejects: R::TABLE == Table::Postbacks,
    };
    finish(sheet, about, &complete, &lag, options, console)
}

/// A report's sheet without what is around it, for a page of several.
pub(super) async fn section<R: Report>(
    report: &R,
    question: &Question,
    compare: bool,
    reader: &Reader,
) -> Result<Sheet, StoreError> {
    let before = if compare {
        question.before().ok()
    } else {
        None
    };
    Ok(answer(report, question, before.as_ref(), reader)
        .await?
        .sheet)
}

async fn answer<R: Report>(
    report: &R,
    question: &Question,
    before: Option<&Question>,
    reader: &Reader,
) -> Result<Answer, StoreError> {
    let Answers { now, before } = report.answer(reader, question, before).await?;
    let Some(before) = before else {
        return Ok(now);
    };
    let names = question.names().len();
    Ok(Answer {
        sheet: compared::join(now.sheet, before.sheet, names, R::COMPARED),
        ..now
    })
}

/// What the footer has to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub(super) of_money: bool,
    pub(super) of_rejects: bool,
}

/// Adds the footer and writes it.
pub(super) fn finish(
    mut sheet: Sheet,
    about: About,
    complete: &Completeness,
    lag: &Result<GroupLag, String>,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let footer = Footer {
        complete,
        lag,
        zone: &options.time_zone,
        of_money: about.of_money,
        of_rejects: about.of_rejects,
    };
    footer.add_to(&mut sheet);
    sheet.write(options, console)?;
    Ok(Ending::Done)
}

pub(super) fn facts(name: &str, question: &Question) -> Vec<(&'static str, Value)> {
    let zone = &question.zone;
    let only = question.only.conditions().iter().map(condition);
    vec![
        ("report", name.into()),
        ("from", shown(question.from, zone).into()),
        ("to", shown(question.to, zone).into()),
        ("date_by", question.date_by.as_str().into()),
        ("time_zone", zone.iana_name().unwrap_or("UTC").into()),
        ("by", question.names().into()),
        ("only", only.collect()),
    ]
}

fn condition(condition: &Condition) -> Value {
    json!({
        "column": condition.column.to_string(),
        "is": if condition.negated { "none_of" } else { "any_of" },
        "values": condition.values,
    })
}

fn tell_before(sheet: &mut Sheet, question: &Question, before: &Question) {
    let zone = &question.zone;
    let (from, to) = (shown(before.from, zone), shown(before.to, zone));
    sheet.fact("compared_from", from.as_str());
    sheet.fact("compared_to", to.as_str());
    sheet
        .notes
        .push(format!("±: change against {from} until {to}"));
    if question.to > Timestamp::now() {
        // By time, only whole days stand beside each other.
        let until = if question.is_by_time() {
            "today"
        } else {
            "now"
        };
        sheet.notes.push(format!(
            "the range is not over, and is compared with one that is: give --to {until}"
        ));
    }
}

/// Why nothing can be compared, and what to do.
fn incomparable(error: &ComparisonError) -> String {
    let remedy = match error {
        ComparisonError::NoWholeDays(_) => "\n  give --to today, or --by something that is no time",
        ComparisonError::NoWholeWeeks => {
            "\n  give --from and --to so many weeks apart, or --by day"
        }
        ComparisonError::OutOfCalendar | ComparisonError::Months => "",
    };
    format!("--compare: {error}{remedy}")
}

/// What to look at where there is nothing to see.
fn nothing(table: Table, question: &Question, loaded_through: Option<Timestamp>) -> Vec<String> {
    let zone = &question.zone;
    let (from, to) = (shown(question.from, zone), shown(question.to, zone));
    let what = match (table, question.date_by) {
        (Table::Postbacks, _) => "postback was received",
        (Table::Conversions, DateBy::Occurred) => "conversion occurred",
        (Table::Conversions, DateBy::Processed) => "conversion was processed",
        (Table::Conversions, DateBy::Received) => "conversion was received",
    };
    let filtered = if question.only.is_empty() {
        ""
    } else {
        " under these filters"
    };
    let remedy = if loaded_through.is_none() {
        "Nothing is loaded yet: `postback doctor` says whether postbacks arrive and are loaded, \
         `postback send` sends one for a test."
    } else {
        match table {
            Table::Conversions => {
                "Check the range (--from, --to, --date-by), then `postback doctor`: do postbacks \
                 arrive, and are they loaded?"
            }
            Table::Postbacks => {
                "Check the range (--from, --to), then `postback doctor`: do postbacks arrive, and \
                 are they loaded?"
            }
        }
    };
    vec![
        format!("No {what} from {from} until {to}{filtered}."),
        remedy.to_owned(),
    ]
}
