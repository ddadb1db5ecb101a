//! What became of a file, in words and rows.

use postback_normalise::profile::Subject;
use postback_store::imports::Import;
use serde_json::{Value, json};

use super::judge::Remark;
use crate::arguments::{Form, Options};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Column, Sheet, number, plural, printable, text};

/// Refused rows that are listed one by one.
pub(super) const LISTED: usize = 1_000;

/// Of refused rows.
const COLUMNS: [Column; 2] = [number("line", "Line"), text("reason", "Refused because")];

/// A row that is in no topic.
pub(super) struct Refused {
    pub(super) line: u64,
    pub(super) reason: String,
}

/// Tells of a file that was imported before; its refused rows were listed then.
pub(super) fn done_before(
    done: &Import,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    console.note(format_args!(
        "This file was imported as {} on {}: {} rows, {} in Kafka, {} refused. Nothing to do.\n\
         To bring it in once more, as newer revisions, add --again.",
        done.file,
        crate::range::shown(done.started_at, &options.time_zone),
        done.rows,
        done.sent,
        done.refused
    ));
    // A table without rows would say nothing, and one that is empty is no import.
    if options.output != Form::Table {
        let mut sheet = Sheet::new(&COLUMNS);
        let import = [
            ("about", done.about.as_str()),
            ("file", &done.file),
            ("source", &done.source),
        ];
        for (name, value) in import {
            sheet.fact(name, value);
        }
        sheet.fact("dry_run", false);
        sheet.fact("rows", done.rows);
        sheet.fact("sent", done.sent);
        sheet.fact("sent_before", done.sent);
        sheet.fact("refused", done.refused);
        sheet.fact("remarks", Vec::<Value>::new());
        sheet.write(options, console)?;
    }
    Ok(Ending::Done)
}

/// How an import ended, or how far it came.
pub(super) struct Outcome<'a> {
    pub(super) about: Subject,
    pub(super) file: &'a str,
    pub(super) source: &'a str,
    pub(super) topic: &'a str,
    pub(super) is_dry: bool,
    pub(super) rows: u64,
    /// In Kafka, by this run and those before it.
    pub(super) sent: u64,
    /// Of them by runs before this one.
    pub(super) before: u64,
    pub(super) refused: u64,
    /// The first of them.
    pub(super) listed: Vec<Refused>,
    pub(super) remarks: Vec<&'a Remark>,
}

impl Outcome<'_> {
    pub(super) fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(&COLUMNS);
        for refused in &self.listed {
            let reason = printable(&refused.reason);
            sheet
                .rows
                .push(vec![Cell::Count(refused.line), Cell::Text(reason)]);
        }
        sheet.fact("about", self.about.as_str());
        sheet.fact("file", self.file);
        sheet.fact("source", self.source);
        sheet.fact("dry_run", self.is_dry);
        sheet.fact("rows", self.rows);
        sheet.fact("sent", self.sent);
        sheet.fact("sent_before", self.before);
        sheet.fact("refused", self.refused);
        let remarks = self.remarks.iter().map(|remark| {
            let mut told = json!({
                "flag": remark.flag.as_str(), "rows": remark.rows, "first_line": remark.first_line
            });
            if !remark.columns.is_empty() {
                told["columns"] = json!(remark.columns);
            }
            told
        });
        sheet.fact("remarks", remarks.collect::<Vec<_>>());
        sheet.notes = self.notes();
        sheet
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let rows = plural(self.rows, "row");
        let what = self.about.as_str();
        notes.push(if self.is_dry {
            let fit = self.rows - self.refused;
            format!(
                "{rows} of {what} read: {fit} would be sent, {} refused",
                self.refused
            )
        } else {
            format!(
                "{rows} of {what} read: {} in Kafka's topic {} now{}, {} refused",
                self.sent,
                self.topic,
                self.before(),
                self.refused
            )
        });
        for remark in &self.remarks {
            notes.push(format!(
                "{}, first in line {}: {} ({}{})",
                plural(remark.rows, "row"),
                remark.first_line,
                remark.flag.explanation(),
                remark.flag,
                columns(remark)
            ));
        }
        if self.refused > 0 {
            notes.push(self.how_to_mend().to_owned());
        }
        notes
    }

    const fn how_to_mend(&self) -> &'static str {
        if self.is_dry {
            "Correct the refused lines, or the configuration, before you import the file: an import sends the others."
        } else {
            "Correct the refused lines and import the file again: what is in Kafka already counts once. Where the \
             configuration refused them, correct that, and import the same file with --again."
        }
    }

    pub(super) fn warn_of_unlisted(&self, console: &mut Console) {
        let unlisted = self.refused - self.listed.len() as u64;
        if unlisted > 0 {
            console.warn(format_args!(
                "{unlisted} more were refused and are not listed"
            ));
        }
    }

    fn before(&self) -> String {
        if self.before == 0 {
            String::new()
        } else {
            format!(" ({} of them before this run)", self.before)
        }
    }
}

/// Behind the flag: which columns it is about.
fn columns(remark: &Remark) -> String {
    let columns = remark.columns.iter().map(|name| printable(name));
    let columns: Vec<String> = columns.collect();
    if columns.is_empty() {
        String::new()
    } else {
        format!(": {}", columns.join(", "))
    }
}
