//! CSV: with a heading, by commas, semicolons or tabs, whatever ends its lines.
//!
//! Reports begin with lines of their own now and then (a title, a range of dates): the heading is the
//! first line that names at least two of the columns that are known, or all that are needed.

use std::io::BufRead;

use csv::ByteRecord;
use postback_normalise::SourceRules;

use super::records::Records;
use super::{FileFault, Row, Rows, bounded, object};
use crate::output::excerpt;

/// Lines among which the heading is looked for.
const BEFORE_HEADING: usize = 30;

pub(super) struct Csv<R> {
    records: Records<R>,
    heading: Vec<String>,
    record: ByteRecord,
}

impl<R: BufRead> Csv<R> {
    pub(super) fn open(file: R, start: &[u8], rules: &SourceRules) -> Result<Self, FileFault> {
        let mut records = Records::new(file, delimiter(start, rules));
        let heading = heading(&mut records, rules)?;
        Ok(Self {
            records,
            heading,
            record: ByteRecord::new(),
        })
    }
}

impl<R: BufRead> Rows for Csv<R> {
    fn next(&mut self) -> Result<Option<Row>, FileFault> {
        while let Some(found) = self.records.read(&mut self.record)? {
            if let Some(reason) = found.fault {
                return Ok(Some(refused(found.line, reason)));
            }
            // A line of commas, as spreadsheets leave them at the end.
            if self.record.iter().any(|field| !field.is_empty()) {
                return Ok(Some(self.row(found.line)));
            }
        }
        Ok(None)
    }
}

impl<R: BufRead> Csv<R> {
    fn row(&mut self, line: u64) -> Row {
        if self.record.len() != self.heading.len() {
            let (has, needs) = (self.record.len(), self.heading.len());
            // A quote that is closed in a later row by chance must not take the rows between along.
            let lines = if self.records.take_back_following_lines() {
                ", in several lines: is a quote not closed?"
            } else {
                ""
            };
            return refused(
                line,
                format!("{has} fields under a heading of {needs}{lines}"),
            );
        }
        let values = self.record.iter().map(str::from_utf8);
        let Ok(values) = values.collect::<Result<Vec<_>, _>>() else {
            let reason = "the line is not UTF-8: save the file as UTF-8";
            return refused(line, reason.to_owned());
        };
        let names = self.heading.iter().map(String::as_str);
        bounded(line, object(names.zip(values)))
    }
}

fn refused(line: u64, reason: String) -> Row {
    Row {
        line,
        object: Err(reason),
    }
}

/// The one under which the file's beginning shows a heading best.
fn delimiter(start: &[u8], rules: &SourceRules) -> u8 {
    let known = |delimiter: u8| {
        let mut records = Records::new(start, delimiter);
        let mut record = ByteRecord::new();
        let mut best = 0;
        for _ in 0..BEFORE_HEADING {
            // Bytes at hand are always read.
            let Ok(Some(_)) = records.read(&mut record) else {
                break;
            };
            let fields = record.iter().filter_map(|field| str::from_utf8(field).ok());
            best = best.max(fields.filter(|field| is_column(field, rules)).count());
        }
        best
    };
    // Of equal ones the first: max_by_key would take the last.
    let all = [b',', b';', b'\t'];
    let best = all.map(known).into_iter().max().unwrap_or(0);
    all.into_iter()
        .find(|delimiter| known(*delimiter) == best)
        .unwrap_or(b',')
}

/// Whether a template of the source has a column of that name.
fn is_column(name: &str, rules: &SourceRules) -> bool {
    let mut readings = rules.readings().iter();
    readings.any(|reading| {
        let mut carriers = reading.mapping.carriers().iter();
        carriers.any(|carrier| carrier.column.is_some() && &*carrier.parameter == name)
    })
}

fn heading<R: BufRead>(
    records: &mut Records<R>,
    rules: &SourceRules,
) -> Result<Vec<String>, FileFault> {
    let mut record = ByteRecord::new();
    let mut first = None;
    for _ in 0..BEFORE_HEADING {
        let Some(found) = records.read(&mut record)? else {
            break;
        };
        let names = record.iter().map(|name| String::from_utf8_lossy(name));
        let names: Vec<String> = names.map(std::borrow::Cow::into_owned).collect();
        let known = names.iter().filter(|name| is_column(name, rules)).count();
        if known >= 2 {
            return match found.fault {
                None => Ok(names),
                Some(reason) => Err(FileFault::Form {
                    what: format!(
                        "the heading in line {} cannot be read: {reason}",
                        found.line
                    ),
                    remedy: "correct its quotes; nothing was sent".to_owned(),
                }),
            };
        }
        first.get_or_insert_with(|| names.join(", "));
    }
    let profile = rules.profile();
    let expected: Vec<&str> = (profile.parameters.iter())
        .filter(|parameter| parameter.column.is_some())
        .map(|parameter| parameter.name.as_str())
        .collect();
    Err(FileFault::Form {
        what: format!(
            "no line of the file is a heading of {}; the first line is: {}",
            profile.title,
            excerpt(&first.unwrap_or_default())
        ),
        remedy: format!(
            "name the columns in the first line, exactly as {} (`postback network show {}` has more names), or say in a \
             [[source.template]] which column is which",
            expected.join(", "),
            profile.network
        ),
    })
}
