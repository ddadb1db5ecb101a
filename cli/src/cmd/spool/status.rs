//! `postback spool status`

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use postback_spool::{ForeignKind, Survey, SurveyedDirectory};

use super::contents::{Sum, Sums, foreign_bytes, survey};
use super::{Directory, Place};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, age, number, plural, size, text};
use crate::range::shown;

/// Show what waits in the spool, by process directory, and what was set aside
#[derive(Debug, Args)]
#[command(
    after_help = "Example: postback spool status --dir /mnt/dead-host/spool\n\
    in use: its process drains it. orphaned: its process is dead; the next ingest with this spool_dir \
    adopts it, or `postback spool drain` does. rejected, damaged: set aside for a person.\n\
    foreign: not put there by the spool.\n\
    Changes nothing. Exit code 3 when something waits, was set aside, or lies where nobody drains it."
)]
pub(super) struct Status {
    #[command(flatten)]
    place: Place,
}

impl Status {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let directory = self.place.find(options, console)?;
        report(&directory, options, console).await
    }
}

/// Shows the spool as it is now.
pub(super) async fn report(
    directory: &Directory,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let survey = survey(&directory.path).await?;
    let sums = Sums::of(&survey);
    sheet(directory, &survey, &sums, options).write(options, console)?;
    Ok(if sums.is_clear() {
        Ending::Done
    } else {
        Ending::Found
    })
}

fn sheet(directory: &Directory, survey: &Survey, sums: &Sums, options: &Options) -> Sheet {
    let mut sheet = Sheet::new(&[
        text("place", "Place"),
        text("state", "State"),
        number("records", "Records"),
        number("bytes", "Bytes"),
        text("oldest", "Oldest"),
        number("damaged_bytes", "Damaged bytes"),
        text("remarks", "Remarks"),
    ]);
    let row = |place: &Path, state: &str, sum: &Sum, remarks: Vec<String>| {
        let oldest = sum.oldest();
        let oldest = oldest.map(|oldest| shown(oldest, &options.time_zone));
        let place = place.strip_prefix(&directory.path).unwrap_or(place);
        vec![
            Cell::text(&place.display()),
            Cell::text(state),
            Cell::Count(sum.records),
            Cell::Count(sum.bytes),
            oldest.map_or(Cell::Missing, Cell::Text),
            Cell::Count(sum.damaged_bytes),
            Cell::List(remarks),
        ]
    };
    for each in &survey.directories {
        let state = if each.in_use { "in use" } else { "orphaned" };
        let sum = Sum::of_directory(each);
        let remarks = remarks(each, &sum);
        sheet.rows.push(row(&each.path, state, &sum, remarks));
    }
    for segment in &survey.rejected {
        let sum = Sum::of([segment]);
        let remarks = unreadable(&sum);
        sheet
            .rows
            .push(row(&segment.path, "rejected", &sum, remarks));
    }
    for (path, bytes) in &survey.damaged {
        let sum = Sum {
            bytes: *bytes,
            damaged_bytes: *bytes,
            ..Sum::default()
        };
        sheet.rows.push(row(path, "damaged", &sum, Vec::new()));
    }
    for each in &survey.foreign {
        let sum = Sum {
            bytes: each.bytes,
            ..Sum::default()
        };
        let remarks = vec![about_foreign(each.kind).to_owned()];
        sheet.rows.push(row(&each.path, "foreign", &sum, remarks));
    }
    let total = |name: &str, sum: &Sum| row(Path::new(name), "", sum, Vec::new());
    sheet.totals.push(total("waiting", &sums.waiting));
    if sums.set_aside_files > 0 {
        sheet.totals.push(total("set aside", &sums.set_aside));
    }
    facts(&mut sheet, directory, survey, sums, options);
    sheet.notes = notes(directory, survey, sums);
    sheet
}

fn remarks(directory: &SurveyedDirectory, sum: &Sum) -> Vec<String> {
    let mut remarks = unreadable(sum);
    if sum.torn_bytes > 0 {
        let bytes = sum.torn_bytes;
        remarks.push(format!("an append was cut short ({bytes} bytes)"));
    }
    if !directory.foreign.is_empty() {
        let foreign = plural(directory.foreign.len(), "foreign file");
        remarks.push(foreign);
    }
    remarks
}

fn about_foreign(kind: ForeignKind) -> &'static str {
    match kind {
        ForeignKind::Segment => {
            "not drained here: make a directory p-… with 16 digits of 0-9a-f, and put it there"
        }
        ForeignKind::Rejected => {
            "not seen here: put it into set-aside/, then `postback spool drain --set-aside`"
        }
        ForeignKind::File => "not the spool's, but counts for spool_max_bytes",
        ForeignKind::Directory => "not the spool's: passed over",
    }
}

fn unreadable(sum: &Sum) -> Vec<String> {
    let words = sum.unreadable.iter().map(|(path, why)| {
        let name = path.file_name().unwrap_or(path.as_os_str());
        format!("{}: {why}", name.display())
    });
    words.collect()
}

fn facts(
    sheet: &mut Sheet,
    directory: &Directory,
    survey: &Survey,
    sums: &Sums,
    options: &Options,
) {
    let Sums {
        waiting,
        set_aside,
        set_aside_files,
        astray: _,
    } = sums;
    let oldest = waiting.oldest();
    sheet.fact("directory", directory.path.display().to_string());
    sheet.fact("waiting_records", waiting.records);
    sheet.fact("waiting_bytes", waiting.bytes);
    sheet.fact(
        "oldest",
        oldest.map(|oldest| shown(oldest, &options.time_zone)),
    );
    sheet.fact("damaged_bytes", waiting.damaged_bytes);
    sheet.fact("unreadable_segments", waiting.unreadable.len());
    sheet.fact("set_aside_files", *set_aside_files);
    sheet.fact("set_aside_records", set_aside.records);
    sheet.fact("set_aside_bytes", set_aside.bytes);
    sheet.fact("used_bytes", survey.used_bytes);
    sheet.fact("foreign_bytes", foreign_bytes(survey));
    sheet.fact("max_bytes", directory.max_bytes);
    sheet.fact("free_bytes", survey.free_bytes);
}

fn notes(directory: &Directory, survey: &Survey, sums: &Sums) -> Vec<String> {
    let waiting = &sums.waiting;
    let place = directory.path.display();
    let mut notes = vec![match waiting.oldest() {
        Some(oldest) => format!(
            "{} in {place}, the oldest for {}.",
            waits(waiting.records),
            age(Timestamp::now().duration_since(oldest))
        ),
        None if sums.astray > 0 => format!("Nothing waits in the directories of {place}."),
        None => format!("Nothing waits in {place}."),
    }];
    let of = |in_use: bool| {
        let dirs = survey.directories.iter();
        dirs.filter(|each| each.in_use == in_use)
            .map(|each| Sum::of_directory(each).records)
            .sum::<u64>()
    };
    if of(false) > 0 {
        notes
            .push("Orphaned: start ingest, which adopts it, or run `postback spool drain`.".into());
    }
    if of(true) > 0 {
        notes.push("In use: the process drains it; part of it may be in Kafka already.".into());
    }
    if !waiting.unreadable.is_empty() {
        let segments = plural(waiting.unreadable.len(), "segment");
        notes.push(format!("{segments} cannot be read whole: see the remarks."));
    }
    notes.extend(about_set_aside(survey, sums));
    if sums.astray > 0 {
        let files = plural(sums.astray, "file");
        notes.push(format!(
            "Astray: {files} of a spool beside its directories; no process drains them there: see the remarks."
        ));
    }
    let foreign = match foreign_bytes(survey) {
        0 => String::new(),
        bytes => format!(", {} of it not the spool's", size(bytes)),
    };
    let limit = directory.max_bytes.map(size);
    let limit = limit.map_or_else(String::new, |limit| {
        format!(" of {limit} (spool_max_bytes)")
    });
    let free = size(survey.free_bytes);
    let used = size(survey.used_bytes);
    notes.push(format!("{used}{limit} in use{foreign}, {free} free."));
    notes
}

/// What was set aside, and what can be done about it.
fn about_set_aside(survey: &Survey, sums: &Sums) -> Vec<String> {
    let Sums {
        set_aside,
        set_aside_files,
        ..
    } = sums;
    let mut notes = Vec::new();
    if set_aside.records > 0 {
        notes.push(format!(
            "Set aside: {} in {}; `postback spool export` prints them. Once the reason is mended, \
             `postback spool drain --set-aside` sends them again.",
            plural(set_aside.records, "record"),
            plural(survey.rejected.len(), "file"),
        ));
    }
    if set_aside.damaged_bytes > 0 {
        notes.push(format!(
            "Damaged: {} in set-aside/, no record any more: nothing sends them again. Compare with the \
             network's report for that time, then move the files elsewhere.",
            size(set_aside.damaged_bytes),
        ));
    }
    if !set_aside.unreadable.is_empty() {
        let files = plural(set_aside.unreadable.len(), "file");
        notes.push(format!(
            "Set aside: {files} that cannot be read whole: see the remarks."
        ));
    }
    if notes.is_empty() && *set_aside_files > 0 {
        let files = plural(*set_aside_files, "file");
        notes.push(format!("Set aside: {files} without a whole record."));
    }
    notes
}

fn waits(records: u64) -> String {
    let wait = if records == 1 { "waits" } else { "wait" };
    format!("{} {wait}", plural(records, "record"))
}
