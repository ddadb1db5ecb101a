//! `postback spool export`

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use postback_spool::disk::RealDisk;
use postback_spool::{Found, OpenError, Records, Survey};
use serde::de::IgnoredAny;

use super::Place;
use super::contents::survey;
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{plural, printable, size};
use crate::servers::Trouble;

/// How many records are written before Ctrl-C is looked for.
const AT_ONCE: u64 = 1_000;

/// Write the records of the spool, the oldest segment first, one a line
#[derive(Debug, Args)]
#[command(after_help = "Example: postback spool export --out records.jsonl\n\
    A record stands as it is where it is one line of JSON, else as {\"base64\": …}. Records that were set \
    aside come last. Changes nothing: what is exported stays in the spool, and what a living process \
    has delivered already may be among it. `--output` has no effect here.\n\
    Exit code 3 when bytes are damaged or cannot be read.")]
pub(super) struct Export {
    #[command(flatten)]
    place: Place,
    /// A new file for the records, readable to its owner alone [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What was found on the way.
#[derive(Debug, Default)]
struct Tally {
    records: u64,
    rejected: u64,
    damaged_bytes: u64,
    torn_bytes: u64,
    /// Segments that could not be read to their end.
    unreadable: u64,
}

impl Export {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let directory = self.place.find(options, console)?;
        let survey = survey(&directory.path).await?;
        let mut tally = Tally::default();
        if let Some(path) = &self.out {
            let mut out = BufWriter::new(create(path)?);
            write(&survey, &mut out, &mut tally, console).await?;
            let written = out.into_inner().map_err(io::IntoInnerError::into_error);
            let synced = written.and_then(|file| file.sync_all());
            synced.map_err(|error| cannot_write(path, &error))?;
        } else {
            write(&survey, &mut Stdout, &mut tally, console).await?;
        }
        let place = directory.path.display();
        let Tally {
            records, rejected, ..
        } = tally;
        let to = self.out.as_ref();
        let to = to.map_or_else(String::new, |path| format!(" to {}", path.display()));
        console.note(format_args!(
            "{} that {} and {} that were set aside: written{to} from {place}, where they stay.",
            plural(records, "record"),
            if records == 1 { "waits" } else { "wait" },
            plural(rejected, "record"),
        ));
        Ok(tally.conclude(console))
    }
}

impl Tally {
    fn conclude(&self, console: &mut Console) -> Ending {
        if self.damaged_bytes > 0 {
            let bytes = size(self.damaged_bytes);
            console.warn(format_args!("{bytes} are damaged, and no record any more"));
        }
        if self.torn_bytes > 0 {
            let bytes = size(self.torn_bytes);
            console.note(format_args!(
                "{bytes} at the end of a segment are an append that was cut short: unless the file was cut afterwards, it was never acknowledged."
            ));
        }
        if self.damaged_bytes > 0 || self.unreadable > 0 {
            Ending::Found
        } else {
            Ending::Done
        }
    }
}

/// Where the records go.
trait Lines {
    fn line(&mut self, bytes: &[u8], console: &mut Console) -> Result<(), Failure>;
}

struct Stdout;

impl Lines for Stdout {
    fn line(&mut self, bytes: &[u8], console: &mut Console) -> Result<(), Failure> {
        console.out().write_all(bytes)?;
        console.out().write_all(b"\n").map_err(Failure::Output)
    }
}

impl Lines for BufWriter<File> {
    fn line(&mut self, bytes: &[u8], _: &mut Console) -> Result<(), Failure> {
        self.write_all(bytes)?;
        self.write_all(b"\n").map_err(Failure::Output)
    }
}

async fn write(
    survey: &Survey,
    out: &mut impl Lines,
    tally: &mut Tally,
    console: &mut Console,
) -> Result<(), Failure> {
    let mut segments: Vec<_> = survey
        .directories
        .iter()
        .flat_map(|directory| {
            let count = directory.segments.len();
            let each = directory.segments.iter().enumerate();
            // A living process may be writing at the end of its last segment.
            each.map(move |(at, segment)| (segment, directory.in_use && at + 1 == count))
        })
        .collect();
    segments.sort_by_key(|(segment, _)| segment.times);
    segments.extend(survey.rejected.iter().map(|segment| (segment, false)));
    for (segment, being_written) in segments {
        let torn = tally.torn_bytes;
        match write_segment(&segment.path, out, tally, console).await {
            Ok(()) => {}
            Err(Stop::Output(failure)) => return Err(failure),
            Err(Stop::Reading(OpenError::Disk(fault))) if fault.kind == ErrorKind::NotFound => {
                console.detail(format_args!("{fault}: drained meanwhile"));
            }
            Err(Stop::Reading(error)) => {
                tally.unreadable += 1;
                console.warn(Trouble::new(error.to_string(), error.remedy()));
            }
        }
        if being_written {
            tally.torn_bytes = torn;
        }
    }
    Ok(())
}

enum Stop {
    Reading(OpenError),
    Output(Failure),
}

async fn write_segment(
    path: &Path,
    out: &mut impl Lines,
    tally: &mut Tally,
    console: &mut Console,
) -> Result<(), Stop> {
    for found in Records::open(&RealDisk, path).map_err(Stop::Reading)? {
        let record = match found.map_err(Stop::Reading)? {
            Found::Record { record, .. } => {
                tally.records += 1;
                record
            }
            Found::Rejected { rejected, .. } => {
                tally.rejected += 1;
                let reason = printable(&rejected.reason);
                console.detail(format_args!("set aside: {reason}"));
                rejected.record
            }
            Found::Damage { bytes } => {
                tally.damaged_bytes += bytes;
                continue;
            }
            Found::Torn { bytes } => {
                tally.torn_bytes += bytes;
                continue;
            }
        };
        out.line(&line(&record), console).map_err(Stop::Output)?;
        if (tally.records + tally.rejected).is_multiple_of(AT_ONCE) {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// A record as one line of JSON.
fn line(record: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let is_line = record.first() == Some(&b'{')
        && !record.contains(&b'\n')
        && serde_json::from_slice::<IgnoredAny>(record).is_ok();
    if is_line {
        return record.into();
    }
    let text = STANDARD.encode(record);
    format!("{{\"base64\":\"{text}\"}}").into_bytes().into()
}

fn create(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let what = format!("cannot write {}: {error}", path.display());
    let remedy = if error.kind() == ErrorKind::AlreadyExists {
        "name a file that does not exist yet"
    } else {
        "name a file in a directory that exists, is yours, and has room"
    };
    Trouble::new(what, remedy).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_one_line_of_json_stands_as_it_is() {
        let shown = |record: &[u8]| String::from_utf8(line(record).into_owned()).unwrap();
        assert_eq!(shown(br#"{"v":1,"a":"\n"}"#), r#"{"v":1,"a":"\n"}"#);
        for (record, base64) in [
            (&b"{\n}"[..], "ewp9"),
            (b"{\"a\":1", "eyJhIjox"),
            (b"[1]", "WzFd"),
            (b"", ""),
            (b"\xff\x00", "/wA="),
        ] {
            assert_eq!(shown(record), format!("{{\"base64\":\"{base64}\"}}"));
        }
    }
}
