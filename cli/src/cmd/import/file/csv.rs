//! CSV: with a heading, by commas, semicolons or tabs, whatever ends its lines.
//!
//! Reports begin with lines of their own now and then (a title, a range of dates): the heading is the
//! first line that names at least two of the columns that are known, or all that are needed.

use std::io::BufRead;

use csv::{ByteRecord, ReaderBuilder, Trim};
use postback_normalise::SourceRules;

use super::{FileFault, Row, Rows, bounded, object};

/// Lines among which the heading is looked for.
const BEFORE_HEADING: usize = 30;

pub(super) struct Csv<R> {
    reader: csv::Reader<R>,
    heading: Vec<String>,
    record: ByteRecord,
    /// A line ends with a carriage return first: the library takes a row to begin behind that one,
    /// still in the line before.
    ends_twice: bool,
}

impl<R: BufRead> Csv<R> {
    pub(super) fn open(file: R, start: &[u8], rules: &SourceRules) -> Result<Self, FileFault> {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .delimiter(delimiter(start, rules))
            .from_reader(file);
        let heading = heading(&mut reader, rules)?;
        Ok(Self {
            reader,
            heading,
            record: ByteRecord::new(),
            ends_twice: start
                .split(|byte| *byte == b'\n')
                .next()
                .is_some_and(|line| line.ends_with(b"\r")),
        })
    }
}

impl<R: BufRead> Rows for Csv<R> {
    fn next(&mut self) -> Result<Option<Row>, FileFault> {
        loop {
            let is_there = self.reader.read_byte_record(&mut self.record);
            if !is_there.map_err(fault)? {
                return Ok(None);
            }
            let line = self.record.position().map_or(0, csv::Position::line);
            let line = line + u64::from(self.ends_twice);
            // A line of commas, as spreadsheets leave them at the end.
            if self.record.iter().all(<[u8]>::is_empty) {
                continue;
            }
            return Ok(Some(self.row(line)));
        }
    }
}

impl<R> Csv<R> {
    fn row(&self, line: u64) -> Row {
        let refused = |reason: String| Row {
            line,
            object: Err(reason),
        };
        if self.record.len() != self.heading.len() {
            let (has, needs) = (self.record.len(), self.heading.len());
            return refused(format!("{has} fields under a heading of {needs}"));
        }
        let values = self.record.iter().map(str::from_utf8);
        let Ok(values) = values.collect::<Result<Vec<_>, _>>() else {
            return refused("the line is not UTF-8: save the file as UTF-8".to_owned());
        };
        let names = self.heading.iter().map(String::as_str);
        bounded(line, object(names.zip(values)))
    }
}

/// The one under which the file's beginning shows a heading best.
fn delimiter(start: &[u8], rules: &SourceRules) -> u8 {
    let known = |delimiter: u8| {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .delimiter(delimiter)
            .from_reader(start);
        let records = reader.byte_records().take(BEFORE_HEADING);
        let fits = records.filter_map(Result::ok).map(|record| {
            let fields = record.iter().filter_map(|field| str::from_utf8(field).ok());
            fields.filter(|field| is_known(field, rules)).count()
        });
        fits.max().unwrap_or(0)
    };
    // Of equal ones the first: max_by_key would take the last.
    let all = [b',', b';', b'\t'];
    let best = all.map(known).into_iter().max().unwrap_or(0);
    all.into_iter()
        .find(|delimiter| known(*delimiter) == best)
        .unwrap_or(b',')
}

fn is_known(name: &str, rules: &SourceRules) -> bool {
    let mut readings = rules.readings().iter();
    readings.any(|reading| {
        let mut carriers = reading.mapping.carriers().iter();
        carriers.any(|carrier| carrier.column.is_some() && &*carrier.parameter == name)
    })
}

fn heading<R: BufRead>(
    reader: &mut csv::Reader<R>,
    rules: &SourceRules,
) -> Result<Vec<String>, FileFault> {
    let mut record = ByteRecord::new();
    let mut first = None;
    for _ in 0..BEFORE_HEADING {
        if !reader.read_byte_record(&mut record).map_err(fault)? {
            break;
        }
        let names = record.iter().map(|name| String::from_utf8_lossy(name));
        let names: Vec<String> = names.map(std::borrow::Cow::into_owned).collect();
        let known = names.iter().filter(|name| is_known(name, rules)).count();
        if known >= 2 {
            return Ok(names);
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
            first.unwrap_or_default()
        ),
        remedy: format!(
            "name the columns in the first line, as {} (`postback network show {}` has more names), or say in a \
             [[source.template]] which column is which",
            expected.join(", "),
            profile.network
        ),
    })
}

fn fault(error: csv::Error) -> FileFault {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => FileFault::Io(error),
        kind => FileFault::Form {
            what: format!("line {line} cannot be read: {kind:?}"),
            remedy: "correct the file; what is in Kafka already stays there and counts once"
                .to_owned(),
        },
    }
}
