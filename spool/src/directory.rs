//! Process directories: made, locked, found, taken over, removed.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::disk::{Disk, LockGuard};
use crate::error::{Fault, Operation};

/// Where a process directory's lock is.
pub(crate) const LOCK: &str = "lock";
/// The extension of segments that are to be drained.
pub(crate) const SEGMENT: &str = ".segment";
/// Where what cannot be drained goes.
pub(crate) const SET_ASIDE: &str = "set-aside";

const PREFIX: &str = "p-";
const UNFINISHED: &str = ".new-";
/// How often a new name is tried when a finder was faster than we.
pub(crate) const ATTEMPTS: usize = 8;

/// A process directory that is locked by us.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    _lock: Box<dyn LockGuard>,
}

impl Directory {
    /// Makes a directory under a temporary name, locks it, gives it its name, syncs the parent:
    /// whoever sees the name sees it locked.
    pub(crate) fn make(disk: &dyn Disk, root: &Path) -> Result<Self, Fault> {
        let mut attempt = 1;
        loop {
            let hex = format!("{:016x}", random(disk, root)?);
            match make_named(disk, root, &hex) {
                Ok(made) => return Ok(made),
                // A finder took the unfinished directory for one of a dead process.
                Err(fault) if is_race(fault.kind) && attempt < ATTEMPTS => attempt += 1,
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Takes over a directory whose process is dead. `None`: it lives, or the directory is gone.
    pub(crate) fn adopt(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, Fault> {
        let lock = path.join(LOCK);
        let held = match disk.lock(&lock, false) {
            Err(error) if error.kind() == ErrorKind::NotFound => without_lock(disk, path)?,
            other => nobody_else(other).map_err(Fault::of(Operation::Lock, &lock))?,
        };
        Ok(held.map(|lock| Self {
            path: path.to_owned(),
            _lock: lock,
        }))
    }

    /// Removes the directory if nothing but its lock is in it; says whether it is gone.
    pub(crate) fn remove_if_empty(&self, disk: &dyn Disk) -> Result<bool, Fault> {
        let entries = match disk.list(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
            other => other.map_err(Fault::of(Operation::List, &self.path))?,
        };
        if entries.iter().any(|entry| entry.name != LOCK) {
            return Ok(false);
        }
        // The lock last: until then everybody sees that the directory is taken.
        let lock = self.path.join(LOCK);
        gone(disk.unlink(&lock)).map_err(Fault::of(Operation::Remove, &lock))?;
        gone(disk.remove_dir(&self.path)).map_err(Fault::of(Operation::Remove, &self.path))?;
        Ok(true)
    }
}

/// Whether a directory of this name in the spool directory is the spool's.
pub(crate) fn is_own(name: &str) -> bool {
    is_of_process(name) || name == SET_ASIDE
}

/// Whether a process has made it, finished or not.
fn is_of_process(name: &str) -> bool {
    name.starts_with(PREFIX) || name.starts_with(UNFINISHED)
}

/// Directories in `root` that processes have made, finished or not.
pub(crate) fn list(disk: &dyn Disk, root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names: Vec<String> = disk
        .list(root)?
        .into_iter()
        .filter(|entry| entry.is_dir)
        .map(|entry| entry.name)
        .filter(|name| is_of_process(name))
        .collect();
    names.sort_unstable();
    Ok(names.into_iter().map(|name| root.join(name)).collect())
}

/// The spool directory itself, made if only its parent is there.
pub(crate) fn make_root(disk: &dyn Disk, root: &Path) -> Result<(), Fault> {
    match disk.create_dir(root) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        other => other.map_err(Fault::of(Operation::Create, root))?,
    }
    match root
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        Some(parent) => disk
            .sync_dir(parent)
            .map_err(Fault::of(Operation::SyncDirectory, parent)),
        None => Ok(()),
    }
}

/// 64 random bits, to name something in `place`.
pub(crate) fn random(disk: &dyn Disk, place: &Path) -> Result<u64, Fault> {
    disk.random().map_err(Fault::of(Operation::Random, place))
}

/// Success, also when the thing was gone already.
pub(crate) fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn make_named(disk: &dyn Disk, root: &Path, hex: &str) -> Result<Directory, Fault> {
    let unfinished = root.join(format!("{UNFINISHED}{hex}"));
    let path = root.join(format!("{PREFIX}{hex}"));
    disk.create_dir(&unfinished)
        .map_err(Fault::of(Operation::Create, &unfinished))?;
    let file = unfinished.join(LOCK);
    let lock = disk.lock(&file, true).inspect_err(|_| {
        // Best effort: on a full disk this is tried again and again.
        drop(disk.remove_dir(&unfinished));
    });
    let lock = lock.map_err(Fault::of(Operation::Lock, &file))?;
    disk.rename(&unfinished, &path)
        .map_err(Fault::of(Operation::Rename, &unfinished))?;
    disk.sync_dir(root)
        .map_err(Fault::of(Operation::SyncDirectory, root))?;
    Ok(Directory { path, _lock: lock })
}

/// Whether somebody else was faster.
pub(crate) fn is_race(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::NotFound | ErrorKind::AlreadyExists
    )
}

/// A directory without a lock: being made, being removed, or copied here without it.
fn without_lock(disk: &dyn Disk, path: &Path) -> Result<Option<Box<dyn LockGuard>>, Fault> {
    let entries = match disk.list(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(Fault::of(Operation::List, path))?,
    };
    if entries.is_empty() {
        // Its maker tries another name; its remover meant the same. Either way no record is in it.
        return match gone(disk.remove_dir(path)) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(None),
            other => other
                .map(|()| None)
                .map_err(Fault::of(Operation::Remove, path)),
        };
    }
    let lock = path.join(LOCK);
    nobody_else(disk.lock(&lock, true)).map_err(Fault::of(Operation::Lock, &lock))
}

fn nobody_else(lock: io::Result<Box<dyn LockGuard>>) -> io::Result<Option<Box<dyn LockGuard>>> {
    match lock {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if is_race(error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}
