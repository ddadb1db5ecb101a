//! What can go wrong, each with a machine-readable reason and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What the spool asked of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Making a file or a directory.
    Create,
    /// Appending.
    Write,
    /// `fdatasync` of a file.
    Sync,
    /// `fsync` of a directory.
    SyncDirectory,
    /// Reading, or reading back what was just written.
    Read,
    /// Listing a directory.
    List,
    /// Renaming.
    Rename,
    /// Removing a file or a directory.
    Remove,
    /// Taking a lock.
    Lock,
    /// Getting random bits from the operating system.
    Random,
}

impl Operation {
    /// The machine-readable tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::SyncDirectory => "sync_directory",
            Self::Read => "read",
            Self::List => "list",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Lock => "lock",
            Self::Random => "random",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An answer of the disk that was no success. Can be copied to everybody whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{operation} of {} failed: {text}", path.display())]
pub struct Fault {
    /// What was asked.
    pub operation: Operation,
    /// Of which file or directory.
    pub path: PathBuf,
    /// The class of the answer.
    pub kind: io::ErrorKind,
    text: String,
}

impl Fault {
    pub(crate) fn new(operation: Operation, path: &Path, error: &io::Error) -> Self {
        Self {
            operation,
            path: path.to_owned(),
            kind: error.kind(),
            text: error.to_string(),
        }
    }

    /// For `map_err`.
    pub(crate) fn of(operation: Operation, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::new(operation, path, &error)
    }

    /// Whether the file system, or the owner's quota on it, is full.
    #[must_use]
    pub const fn is_disk_full(&self) -> bool {
        matches!(
            self.kind,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

/// Why a record is not in the spool. [`Self::Failed`] leaves it open: the record may be found on
/// disk later; all others mean that it was not written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// The record alone is too long.
    #[error("the record has {bytes} bytes; the spool takes at most {limit}")]
    TooLarge {
        /// Its length.
        bytes: u64,
        /// [`Options::record_max_bytes`](crate::Options::record_max_bytes).
        limit: u64,
    },
    /// The spool directory holds as much as it may.
    #[error("the spool is full: {used} of {limit} bytes")]
    Full {
        /// Bytes in all of the spool directory, and in the queue.
        used: u64,
        /// [`Options::max_bytes`](crate::Options::max_bytes).
        limit: u64,
    },
    /// The file system has no room. Refused at once until a new file could be written.
    #[error("no room on the spool's file system: {0}")]
    DiskFull(Fault),
    /// Too many records wait for the disk already.
    #[error("{records} records ({bytes} bytes) wait for the spool's disk")]
    Busy {
        /// How many wait.
        records: u64,
        /// Their bytes, framing included.
        bytes: u64,
    },
    /// The disk failed, and no new file could be verified since.
    #[error("the spool's disk does not work: {0}")]
    NotReady(Fault),
    /// The write or the sync of this record's group failed.
    #[error("the record could not be made durable: {0}")]
    Failed(Fault),
    /// The spool takes no more records.
    #[error("the spool is closed")]
    Closed,
}

impl SubmitError {
    pub(crate) fn refusing(fault: Fault) -> Self {
        if fault.is_disk_full() {
            Self::DiskFull(fault)
        } else {
            Self::NotReady(fault)
        }
    }

    /// Whether this is the same trouble as `other`, of whichever file.
    pub(crate) fn is_like(&self, other: &Fault) -> bool {
        match self {
            Self::DiskFull(fault) | Self::NotReady(fault) | Self::Failed(fault) => {
                fault.kind == other.kind
            }
            Self::TooLarge { .. } | Self::Full { .. } | Self::Busy { .. } | Self::Closed => false,
        }
    }

    /// The machine-readable tag.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "spool_record_too_large",
            Self::Full { .. } => "spool_full",
            Self::DiskFull(_) => "spool_disk_full",
            Self::Busy { .. } => "spool_busy",
            Self::NotReady(_) => "spool_not_ready",
            Self::Failed(_) => "spool_failed",
            Self::Closed => "spool_closed",
        }
    }

    /// What a person can do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "lower the limits on queries and bodies",
            Self::Full { .. } => {
                "bring Kafka back, raise the spool's limit, or remove old files from set-aside/"
            }
            Self::DiskFull(_) => {
                "free space on the file system of the spool; what waits there is still drained"
            }
            Self::Busy { .. } => "look for what keeps the disk busy or hanging",
            Self::NotReady(_) | Self::Failed(_) => {
                "check the disk, the mount and the permissions of the spool directory; \
                 the spool tries again by itself"
            }
            Self::Closed => "the process is going down",
        }
    }
}

/// Why a spool could not be opened or looked at.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// An option contradicts another.
    #[error("{option} = {value}: {rule}")]
    Option {
        /// The field of [`Options`](crate::Options).
        option: &'static str,
        /// Its value.
        value: u64,
        /// What it must be.
        rule: &'static str,
    },
    /// The disk did not do what was needed.
    #[error(transparent)]
    Disk(#[from] Fault),
    /// The file is no segment: its name, or its header.
    #[error("{} is no segment of a spool", path.display())]
    NoSegment {
        /// Which file.
        path: PathBuf,
    },
    /// The segment was written by another version.
    #[error("{} has format version {version}; this program reads version 1", path.display())]
    UnknownVersion {
        /// Which file.
        path: PathBuf,
        /// What its header says.
        version: u16,
    },
}

impl OpenError {
    /// The machine-readable tag.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Option { .. } => "spool_option",
            Self::Disk(_) => "spool_disk",
            Self::NoSegment { .. } => "spool_no_segment",
            Self::UnknownVersion { .. } => "spool_unknown_version",
        }
    }

    /// What a person can do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Option { .. } => "change the setting",
            Self::Disk(fault) if fault.is_disk_full() => {
                "free space on the file system of the spool; `postback spool drain` makes room \
                 of what waits there"
            }
            Self::Disk(_) => "check that the spool directory exists and belongs to this user",
            Self::NoSegment { .. } => "name a .segment or .rejected file as the spool wrote it",
            Self::UnknownVersion { .. } => "read it with the version of the program that wrote it",
        }
    }
}

/// Why a record could not be set aside. It stays in the spool, and is read again by the next
/// process at the latest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the record could not be set aside: {0}")]
pub struct SetAsideError(#[from] pub Fault);

impl SetAsideError {
    /// The machine-readable tag.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        "spool_set_aside"
    }

    /// What a person can do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        if self.0.is_disk_full() {
            "free space on the file system of the spool"
        } else {
            "check the disk and the permissions of set-aside/ in the spool directory"
        }
    }
}
