//! What an operator must hear of.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use crate::error::Fault;

/// Something that happened in the spool and is nobody's return value. Its text holds paths, byte
/// ranges and the disk's words, never bytes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Bytes that are no record any more; they go to `set-aside/` before the segment goes.
    Damage {
        /// In which segment.
        segment: PathBuf,
        /// Which bytes of it.
        bytes: Range<u64>,
    },
    /// The end of a dead writer's segment, cut short in the middle of an append.
    TornTail {
        /// In which segment.
        segment: PathBuf,
        /// Which bytes of it.
        bytes: Range<u64>,
    },
    /// A segment of another version, or of another kind than its place: left alone.
    UnknownVersion {
        /// Which segment.
        segment: PathBuf,
        /// What its header says.
        version: u16,
    },
    /// A file that the spool did not write lies in a process directory: left alone, and the
    /// directory with it.
    ForeignFile {
        /// Which file.
        path: PathBuf,
    },
    /// A segment that was to be drained is not there any more.
    Vanished {
        /// Which segment.
        segment: PathBuf,
    },
    /// A write or a sync failed, or a new segment could not be made.
    WriteFailed(Fault),
    /// The disk works again: a new segment was written and verified.
    Recovered {
        /// The new segment.
        segment: PathBuf,
    },
    /// A segment could not be read; it is tried again.
    ReadFailed(Fault),
    /// Something could not be tidied up: unlinking, setting aside, adopting. It is tried again.
    TidyFailed(Fault),
    /// What the spool directory holds could not be counted, in part or whole: until it can, the bound
    /// on it does not hold for that.
    CountFailed(Fault),
    /// A record that can never be delivered was set aside.
    SetAside {
        /// Where it is now.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Report {
    /// The machine-readable tag.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Damage { .. } => "spool_damage",
            Self::TornTail { .. } => "spool_torn_tail",
            Self::UnknownVersion { .. } => "spool_unknown_version",
            Self::ForeignFile { .. } => "spool_foreign_file",
            Self::Vanished { .. } => "spool_vanished",
            Self::WriteFailed(_) => "spool_write_failed",
            Self::Recovered { .. } => "spool_recovered",
            Self::ReadFailed(_) => "spool_read_failed",
            Self::TidyFailed(_) => "spool_tidy_failed",
            Self::CountFailed(_) => "spool_count_failed",
            Self::SetAside { .. } => "spool_set_aside",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damage { segment, bytes } => write!(
                f,
                "{}: bytes {}..{} are damaged; the records around them are kept",
                segment.display(),
                bytes.start,
                bytes.end
            ),
            Self::TornTail { segment, bytes } => write!(
                f,
                "{}: the last append was cut short (bytes {}..{})",
                segment.display(),
                bytes.start,
                bytes.end
            ),
            Self::UnknownVersion { segment, version } => write!(
                f,
                "{}: format version {version} is unknown here; left alone, drain it with the \
                 program that wrote it",
                segment.display()
            ),
            Self::ForeignFile { path } => {
                write!(f, "{}: not a file of the spool; left alone", path.display())
            }
            Self::Vanished { segment } => {
                write!(f, "{}: gone before it was drained", segment.display())
            }
            Self::WriteFailed(fault) | Self::ReadFailed(fault) | Self::TidyFailed(fault) => {
                fault.fmt(f)
            }
            Self::CountFailed(fault) => write!(f, "spool_max_bytes is not kept: {fault}"),
            Self::Recovered { segment } => {
                write!(
                    f,
                    "{}: written and verified; ready again",
                    segment.display()
                )
            }
            Self::SetAside { path, reason } => {
                write!(f, "{}: a record was set aside: {reason}", path.display())
            }
        }
    }
}
