//! The disk as the spool needs it, as a trait from the first day.
//!
//! [`RealDisk`] is the operating system. [`ForgetfulDisk`] is a disk in memory for tests: it
//! forgets what was not synced, tears writes, fails and hangs on demand.

mod forgetful;
mod real;

use std::fmt;
use std::io;
use std::path::Path;

pub use forgetful::{Dice, ForgetfulDisk};
pub use real::RealDisk;

/// A file system. Every method may block for as long as the device takes.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes one directory, whose parent must exist. Durable only after [`Disk::sync_dir`] of the
    /// parent.
    ///
    /// # Errors
    /// `AlreadyExists`; `NotFound` without a parent; whatever the device reports.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `DirectoryNotEmpty`, `NotFound`; whatever the device reports.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable: what was created, renamed and unlinked in it.
    ///
    /// # Errors
    /// `NotFound`; whatever the device reports. After an error it is unknown what is durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// What is in a directory, in no order.
    ///
    /// # Errors
    /// `NotFound`; whatever the device reports.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// Creates an empty file for appending, and never opens one that exists. Its name is durable
    /// only after [`Disk::sync_dir`] of the directory.
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound` (directory), `StorageFull`; whatever the device reports.
    fn create(&self, path: &Path) -> io::Result<Box<dyn AppendFile>>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// `NotFound`; whatever the device reports.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>>;

    /// Gives a file or directory another name in the same or a neighbouring directory. Atomic for
    /// everybody who looks, durable only after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// `NotFound`; whatever the device reports.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name. Frees its space once nobody has it open. Works on a full disk.
    ///
    /// # Errors
    /// `NotFound`; whatever the device reports.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// Tries to take the exclusive lock on a file, without waiting for another holder. The lock
    /// ends with the returned guard or with the process, however that dies.
    ///
    /// `make` creates the file; it must not exist then.
    ///
    /// # Errors
    /// `WouldBlock` while another holds it, or when the file was replaced meanwhile; `NotFound`
    /// without `make`; `AlreadyExists` with it; whatever the device reports.
    fn lock(&self, path: &Path, make: bool) -> io::Result<Box<dyn LockGuard>>;

    /// 64 random bits, for names and ids that no other process has.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn random(&self) -> io::Result<u64>;

    /// Bytes that an unprivileged process may still write on the file system of `path`.
    ///
    /// # Errors
    /// `NotFound`; whatever the device reports.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// A file that only grows, and only by its creator.
pub trait AppendFile: Send + fmt::Debug {
    /// Appends all of `bytes`. They are durable only after [`AppendFile::sync`].
    ///
    /// # Errors
    /// `StorageFull`; whatever the device reports. Any part of `bytes` may be in the file then.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything appended so far durable (`fdatasync`).
    ///
    /// # Errors
    /// Whatever the device reports; `NotFound` when the file has no name any more, because then
    /// nothing in it survives. After an error the file must not be trusted again: a later sync may
    /// report success for bytes that never reached the device.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that is read at any place. Several may read at once.
pub trait ReadFile: Send + Sync + fmt::Debug {
    /// Its length in bytes, now.
    ///
    /// # Errors
    /// Whatever the device reports.
    fn length(&self) -> io::Result<u64>;

    /// Reads at `offset` until `buffer` is full or the file ends; says how much was read.
    ///
    /// # Errors
    /// Whatever the device reports, typically EIO for a bad block.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Holds a lock until it is dropped.
pub trait LockGuard: Send + fmt::Debug {}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The last part of its path; names that are not UTF-8 are left out of listings.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Length of a file in bytes; 0 for a directory.
    pub bytes: u64,
}
