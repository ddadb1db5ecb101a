//! What is in a spool directory, added up.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use postback_spool::disk::RealDisk;
use postback_spool::{
    Condition, Foreign, ForeignKind, Looks, OpenError, Survey, SurveyedDirectory, SurveyedSegment,
};

use crate::servers::Trouble;

/// Reads everything in a spool directory and changes nothing.
pub(crate) async fn survey(directory: &Path) -> Result<Survey, Trouble> {
    let path = directory.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        postback_spool::survey(&RealDisk, &path).map_err(|error| trouble(&path, &error))
    });
    asked
        .await
        .unwrap_or_else(|error| Err(Trouble::new(error.to_string(), "run it again")))
}

/// Whoever names a directory that is no spool would be told that nothing waits. `is_known` says
/// whether it is one all the same, such as one that is empty.
pub(super) fn check(directory: &Path, mut is_known: impl FnMut() -> bool) -> Result<(), Trouble> {
    let shown = directory.display();
    // One that cannot be listed is named in more fitting words later.
    match postback_spool::looks(&RealDisk, directory) {
        Ok(Looks::WithinSpool) if !is_known() => Err(Trouble::new(
            format!("{shown} is a directory in a spool"),
            "name the directory that it stands in; one brought alone belongs into a directory of its own",
        )),
        Ok(Looks::NoSpool) if !is_known() => {
            let meant = spools_in(directory);
            let remedy = match meant.first() {
                Some(meant) => format!("did you mean {}?", meant.display()),
                None => "name the directory that holds the process directories p-…, and see that its disk is mounted; one that is drained whole is empty".to_owned(),
            };
            Err(Trouble::new(
                format!("there is no spool in {shown}"),
                remedy,
            ))
        }
        _ => Ok(()),
    }
}

/// The spools among a directory's directories, by name.
fn spools_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let paths = entries.flatten().map(|entry| entry.path());
    let is_spool = |path: &PathBuf| {
        path.is_dir() && matches!(postback_spool::looks(&RealDisk, path), Ok(Looks::Spool))
    };
    let mut spools: Vec<_> = paths.filter(is_spool).collect();
    spools.sort_unstable();
    spools
}

/// A spool that cannot be looked at, in words.
pub(crate) fn trouble(directory: &Path, error: &OpenError) -> Trouble {
    let OpenError::Disk(fault) = error else {
        return Trouble::new(error.to_string(), error.remedy());
    };
    let shown = directory.display();
    match fault.kind {
        ErrorKind::NotFound if !directory.exists() => Trouble::new(
            format!("there is no directory {shown}"),
            "name the spool directory with --dir; ingest makes its own when it starts",
        ),
        ErrorKind::NotADirectory => Trouble::new(
            format!("{shown} is no directory"),
            "name the directory that holds the process directories p-…",
        ),
        ErrorKind::PermissionDenied => Trouble::new(
            fault.to_string(),
            "run it as the user of ingest: a spool is for its owner's eyes only",
        ),
        _ => Trouble::new(fault.to_string(), error.remedy()),
    }
}

/// Sums over segments, damaged files or directories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Least and greatest time of a record, µs since 1970.
    pub(crate) times: Option<(u64, u64)>,
    pub(crate) damaged_bytes: u64,
    pub(crate) torn_bytes: u64,
    /// Segments that cannot be read to their end, and why.
    pub(crate) unreadable: Vec<(PathBuf, String)>,
}

impl Sum {
    pub(crate) fn of<'a>(segments: impl IntoIterator<Item = &'a SurveyedSegment>) -> Self {
        let mut sum = Self::default();
        for segment in segments {
            sum.add(segment);
        }
        sum
    }

    /// Of a process directory. What looks torn at the end of a living process's last segment is a
    /// write that is under way.
    pub(crate) fn of_directory(directory: &SurveyedDirectory) -> Self {
        let mut sum = Self::of(&directory.segments);
        if let (true, Some(last)) = (directory.in_use, directory.segments.last()) {
            sum.torn_bytes -= last.torn_bytes;
        }
        sum
    }

    fn add(&mut self, segment: &SurveyedSegment) {
        self.records += segment.records;
        self.bytes += segment.bytes;
        self.damaged_bytes += segment.damaged_bytes;
        self.torn_bytes += segment.torn_bytes;
        self.add_times(segment.times);
        let why = match &segment.condition {
            Condition::Readable => return,
            Condition::UnknownVersion(version) => {
                format!("format version {version}: read it with the program that wrote it")
            }
            Condition::NoSegment => {
                "no segment of a spool by its name: nothing of it was read; give it the name that it had \
                 (NUMBER-ID.rejected), or move it elsewhere"
                    .to_owned()
            }
            Condition::Unreadable(fault) => fault.to_string(),
        };
        self.unreadable.push((segment.path.clone(), why));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.damaged_bytes += other.damaged_bytes;
        self.torn_bytes += other.torn_bytes;
        self.add_times(other.times);
        self.unreadable.extend_from_slice(&other.unreadable);
    }

    fn add_times(&mut self, times: Option<(u64, u64)>) {
        if let Some((from, to)) = times {
            let (least, greatest) = self.times.unwrap_or((from, to));
            self.times = Some((least.min(from), greatest.max(to)));
        }
    }

    /// The time of the oldest record.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        moment(self.times?.0)
    }
}

/// What waits for Kafka, and what was set aside.
pub(crate) struct Sums {
    pub(crate) waiting: Sum,
    pub(crate) set_aside: Sum,
    /// Files in `set-aside/`.
    pub(crate) set_aside_files: usize,
    /// Files beside the spool's directories that are, by their names, of a spool: nobody drains them.
    pub(crate) astray: usize,
}

impl Sums {
    pub(crate) fn of(survey: &Survey) -> Self {
        let mut waiting = Sum::default();
        for directory in &survey.directories {
            waiting.merge(&Sum::of_directory(directory));
        }
        let mut set_aside = Sum::of(&survey.rejected);
        for (_, bytes) in &survey.damaged {
            set_aside.bytes += bytes;
            set_aside.damaged_bytes += bytes;
        }
        Self {
            waiting,
            set_aside,
            set_aside_files: survey.rejected.len() + survey.damaged.len(),
            astray: survey.foreign.iter().filter(|each| is_astray(each)).count(),
        }
    }

    /// Whether a person or Kafka has something to do.
    pub(crate) fn is_clear(&self) -> bool {
        let Sum {
            records,
            damaged_bytes,
            unreadable,
            ..
        } = &self.waiting;
        let nothing_waits = *records == 0 && *damaged_bytes == 0 && unreadable.is_empty();
        nothing_waits && self.set_aside_files == 0 && self.astray == 0
    }
}

/// Bytes in use by what is not the spool's.
pub(crate) fn foreign_bytes(survey: &Survey) -> u64 {
    survey.foreign.iter().map(|each| each.bytes).sum()
}

/// Whether it belongs into a directory of the spool.
fn is_astray(foreign: &Foreign) -> bool {
    matches!(foreign.kind, ForeignKind::Segment | ForeignKind::Rejected)
}

/// From µs since 1970; a time that no clock shows is none.
pub(crate) fn moment(micros: u64) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()
}
