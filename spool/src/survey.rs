//! A look at a spool directory that changes nothing in it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::directory::{self, LOCK, SEGMENT, SET_ASIDE};
use crate::disk::{DirEntry, Disk};
use crate::error::{Fault, OpenError, Operation};
use crate::format::{Kind, SegmentName};
use crate::scan::{Next, Scanner, Start, Tail};
use crate::set_aside::{REJECTED, Rejected};
use crate::usage;

/// What is in a spool directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Process directories, by name.
    pub directories: Vec<SurveyedDirectory>,
    /// `.rejected` files of `set-aside/`: segments, where their names are those of a spool.
    pub rejected: Vec<SurveyedSegment>,
    /// Every other file there and its bytes: `.damaged` ones, a `.damaged.new` whose writing was cut
    /// short, and what somebody else put there.
    pub damaged: Vec<(PathBuf, u64)>,
    /// What lies beside the spool's own directories, by name.
    pub foreign: Vec<Foreign>,
    /// Bytes in the spool directory as a spool with a bound on it counts them.
    pub used_bytes: u64,
    /// Bytes that may still be written to the file system.
    pub free_bytes: u64,
}

/// What the spool did not put into its directory. Nothing there is read or drained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Where.
    pub path: PathBuf,
    /// Which kind of thing.
    pub kind: ForeignKind,
    /// The length of a file; a directory's contents count for nothing.
    pub bytes: u64,
}

/// What lies where it does not belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignKind {
    /// By its name a segment, outside of any process directory.
    Segment,
    /// By its name records that were set aside, outside of that place.
    Rejected,
    /// Any other file.
    File,
    /// A directory.
    Directory,
}

/// What a directory looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// It has directories as a spool has them.
    Spool,
    /// It has files as they are in a directory of a spool, or such a directory's name.
    WithinSpool,
    /// Neither.
    NoSpool,
}

/// Says by its names what a directory looks like.
///
/// # Errors
/// [`OpenError::Disk`] when it cannot be listed.
pub fn looks(disk: &dyn Disk, path: &Path) -> Result<Looks, OpenError> {
    let entries = disk.list(path).map_err(Fault::of(Operation::List, path))?;
    let is_own = |entry: &DirEntry| entry.is_dir && directory::is_own(&entry.name);
    if entries.iter().any(is_own) {
        return Ok(Looks::Spool);
    }
    let is_within = |entry: &DirEntry| {
        let is_lock = entry.name == LOCK && entry.bytes == 0;
        let kind = foreign_kind(entry);
        !entry.is_dir && (is_lock || kind != ForeignKind::File)
    };
    let name = path.file_name().and_then(|name| name.to_str());
    let is_named = name.is_some_and(directory::is_own);
    if is_named || entries.iter().any(is_within) {
        return Ok(Looks::WithinSpool);
    }
    Ok(Looks::NoSpool)
}

/// A process directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedDirectory {
    /// Where.
    pub path: PathBuf,
    /// Whether a living process has it. Its last segment may then end in the middle of a write.
    pub in_use: bool,
    /// Its segments, in the order of writing.
    pub segments: Vec<SurveyedSegment>,
    /// Files that the spool did not write.
    pub foreign: Vec<PathBuf>,
}

/// A segment, read from beginning to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedSegment {
    /// Where.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Whole records in it, released or not: only the process that drains knows.
    pub records: u64,
    /// The least and the greatest time of its records, in µs since 1970.
    pub times: Option<(u64, u64)>,
    /// Bytes that are no record any more.
    pub damaged_bytes: u64,
    /// Bytes of an append that was cut short.
    pub torn_bytes: u64,
    /// How far it can be read.
    pub condition: Condition,
}

/// How far a segment can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// From its beginning to its end.
    Readable,
    /// Another version wrote it.
    UnknownVersion(u16),
    /// Not at all: its name is none that a spool gives, and the checksums need it.
    NoSegment,
    /// The disk failed on the way.
    Unreadable(Fault),
}

/// Reads everything in the spool directory `root`, for as long as that takes, and changes nothing.
/// Works beside a running process too.
///
/// # Errors
/// [`OpenError::Disk`] when `root` cannot be listed.
pub fn survey(disk: &dyn Disk, root: &Path) -> Result<Survey, OpenError> {
    let mut directories = Vec::new();
    for path in directory::list(disk, root).map_err(Fault::of(Operation::List, root))? {
        directories.extend(survey_directory(disk, path)?);
    }
    let place = root.join(SET_ASIDE);
    let (mut rejected, mut damaged) = (Vec::new(), Vec::new());
    for entry in list(disk, &place)? {
        let path = place.join(&entry.name);
        if entry.name.ends_with(REJECTED) {
            rejected.push(survey_segment(disk, path, entry.bytes));
        } else {
            damaged.push((path, entry.bytes));
        }
    }
    let used_bytes = usage::count(disk, root)?.bytes;
    Ok(Survey {
        directories,
        rejected,
        damaged,
        foreign: foreign(disk, root)?,
        used_bytes,
        free_bytes: disk
            .free_bytes(root)
            .map_err(Fault::of(Operation::Read, root))?,
    })
}

fn foreign(disk: &dyn Disk, root: &Path) -> Result<Vec<Foreign>, Fault> {
    let entries = list(disk, root)?.into_iter();
    let foreign = entries.filter(|entry| !(entry.is_dir && directory::is_own(&entry.name)));
    let foreign = foreign.map(|entry| Foreign {
        path: root.join(&entry.name),
        kind: foreign_kind(&entry),
        bytes: entry.bytes,
    });
    Ok(foreign.collect())
}

fn foreign_kind(entry: &DirEntry) -> ForeignKind {
    if entry.is_dir {
        ForeignKind::Directory
    } else if entry.name.ends_with(SEGMENT) {
        ForeignKind::Segment
    } else if entry.name.ends_with(REJECTED) {
        ForeignKind::Rejected
    } else {
        ForeignKind::File
    }
}

fn survey_directory(
    disk: &dyn Disk,
    path: PathBuf,
) -> Result<Option<SurveyedDirectory>, OpenError> {
    let entries = list(disk, &path)?;
    if entries.is_empty() {
        return Ok(None);
    }
    // Taken for a moment and let go; an adopter that comes just then tries again later.
    let lock = disk.lock(&path.join(LOCK), false);
    let in_use = lock.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    let (mut segments, mut foreign) = (Vec::new(), Vec::new());
    for entry in entries.iter().filter(|entry| entry.name != LOCK) {
        let file = path.join(&entry.name);
        if crate::drain::segment_name(entry).is_some() {
            segments.push(survey_segment(disk, file, entry.bytes));
        } else {
            foreign.push(file);
        }
    }
    Ok(Some(SurveyedDirectory {
        path,
        in_use,
        segments,
        foreign,
    }))
}

/// Sorted by name; nothing where there is no such directory.
fn list(disk: &dyn Disk, path: &Path) -> Result<Vec<DirEntry>, Fault> {
    match disk.list(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        other => {
            let mut entries = other.map_err(Fault::of(Operation::List, path))?;
            entries.sort_by(|one, two| one.name.cmp(&two.name));
            Ok(entries)
        }
    }
}

fn survey_segment(disk: &dyn Disk, path: PathBuf, bytes: u64) -> SurveyedSegment {
    let mut segment = SurveyedSegment {
        path,
        bytes,
        records: 0,
        times: None,
        damaged_bytes: 0,
        torn_bytes: 0,
        condition: Condition::Readable,
    };
    segment.condition = match segment.read(disk) {
        Ok(()) => Condition::Readable,
        Err(OpenError::UnknownVersion { version, .. }) => Condition::UnknownVersion(version),
        Err(OpenError::Disk(fault)) => Condition::Unreadable(fault),
        // No option is looked at here.
        Err(OpenError::NoSegment { .. } | OpenError::Option { .. }) => Condition::NoSegment,
    };
    segment
}

impl SurveyedSegment {
    fn read(&mut self, disk: &dyn Disk) -> Result<(), OpenError> {
        for found in Records::open(disk, &self.path)? {
            match found? {
                Found::Record { at_micros, .. } | Found::Rejected { at_micros, .. } => {
                    self.records += 1;
                    let (from, to) = self.times.unwrap_or((at_micros, at_micros));
                    self.times = Some((from.min(at_micros), to.max(at_micros)));
                }
                Found::Damage { bytes } => self.damaged_bytes += bytes,
                Found::Torn { bytes } => self.torn_bytes += bytes,
            }
        }
        Ok(())
    }
}

/// What is in a segment, from its beginning to its end. Changes nothing.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    scanner: Scanner,
    limit: u64,
    kind: Kind,
    ended: bool,
}

/// One thing in a segment.
#[derive(Clone, PartialEq, Eq)]
pub enum Found {
    /// A record that waits for Kafka.
    Record {
        /// Its time in µs since 1970.
        at_micros: u64,
        /// Its bytes as they were submitted.
        record: Vec<u8>,
    },
    /// A record that Kafka refused for itself.
    Rejected {
        /// Its time in µs since 1970.
        at_micros: u64,
        /// The record and the reason.
        rejected: Rejected,
    },
    /// So many bytes are no record any more.
    Damage {
        /// How many.
        bytes: u64,
    },
    /// So many bytes at the end are an append that was cut short.
    Torn {
        /// How many.
        bytes: u64,
    },
}

impl Records {
    /// Opens a `.segment` or `.rejected` file by its path; its name must be the one that the spool
    /// gave it.
    ///
    /// # Errors
    /// [`OpenError::NoSegment`], [`OpenError::UnknownVersion`], [`OpenError::Disk`].
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, OpenError> {
        let no_segment = || OpenError::NoSegment {
            path: path.to_owned(),
        };
        let file_name = path.file_name().and_then(|name| name.to_str());
        let file_name = file_name.ok_or_else(no_segment)?;
        let (stem, named) = match file_name.strip_suffix(SEGMENT) {
            Some(stem) => (stem, Kind::Queued),
            None => (
                file_name.strip_suffix(REJECTED).ok_or_else(no_segment)?,
                Kind::Rejected,
            ),
        };
        let name = SegmentName::parse(stem).ok_or_else(no_segment)?;
        let reading = || Fault::of(Operation::Read, path);
        let file = disk.open(path).map_err(reading())?;
        let limit = file.length().map_err(reading())?;
        let (scanner, start) = Scanner::open(Arc::from(file), name, limit).map_err(reading())?;
        let kind = match start {
            Start::Good(kind) => kind,
            Start::HeaderDamaged => named,
            Start::Unknown(version) => {
                return Err(OpenError::UnknownVersion {
                    path: path.to_owned(),
                    version,
                });
            }
        };
        Ok(Self {
            path: path.to_owned(),
            scanner,
            limit,
            kind,
            ended: false,
        })
    }
}

impl Iterator for Records {
    type Item = Result<Found, OpenError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.scanner.next(self.limit, Tail::MayBeTorn) {
            Ok(Next::Record { at_micros, .. }) => {
                let bytes = self.scanner.record();
                let rejected = match self.kind {
                    Kind::Queued => None,
                    Kind::Rejected => Rejected::decode(bytes),
                };
                Some(Ok(match rejected {
                    Some(rejected) => Found::Rejected {
                        at_micros,
                        rejected,
                    },
                    None => Found::Record {
                        at_micros,
                        record: bytes.to_vec(),
                    },
                }))
            }
            Ok(Next::Damage(range)) => Some(Ok(Found::Damage {
                bytes: range.end - range.start,
            })),
            Ok(Next::Torn(range)) => Some(Ok(Found::Torn {
                bytes: range.end - range.start,
            })),
            Ok(Next::End) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                let fault = Fault::new(Operation::Read, &self.path, &error);
                Some(Err(fault.into()))
            }
        }
    }
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record { record, .. } => write!(f, "a record of {} bytes", record.len()),
            Self::Rejected { rejected, .. } => rejected.fmt(f),
            Self::Damage { bytes } => write!(f, "{bytes} damaged bytes"),
            Self::Torn { bytes } => write!(f, "{bytes} torn bytes"),
        }
    }
}
