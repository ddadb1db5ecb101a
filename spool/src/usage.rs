//! How much is in a spool directory.

use std::io::ErrorKind;
use std::path::Path;

use crate::directory::{self, LOCK};
use crate::disk::{DirEntry, Disk};
use crate::error::{Fault, OpenError, Operation};
use crate::format::HEADER_BYTES;

/// What one look at a spool directory shows.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Bytes of all files in the spool directory and in the spool's own directories.
    pub(crate) bytes: u64,
    /// Of these, bytes of files that lie beside the spool's own directories.
    pub(crate) foreign_bytes: u64,
    /// One of the spool's own directories could not be looked into: what is in it is left out.
    pub(crate) fault: Option<Fault>,
}

/// Lists the spool directory, and each of the spool's own directories in it. Others (`lost+found`,
/// say) are none of its business.
pub(crate) fn count(disk: &dyn Disk, root: &Path) -> Result<Usage, Fault> {
    let mut usage = Usage::default();
    for entry in disk.list(root).map_err(Fault::of(Operation::List, root))? {
        if !entry.is_dir {
            usage.bytes += entry.bytes;
            usage.foreign_bytes += entry.bytes;
            continue;
        }
        if !directory::is_own(&entry.name) {
            continue;
        }
        let path = root.join(&entry.name);
        match disk.list(&path) {
            Ok(files) => usage.bytes += files.iter().map(|file| file.bytes).sum::<u64>(),
            // Drained and removed by its owner meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => usage.fault = Some(Fault::new(Operation::List, &path, &error)),
        }
    }
    Ok(usage)
}

/// Bytes of the segments in `root` that belong to no living process and hold more than their header.
/// Looks at names and lengths only, so that it is quick, and changes nothing.
///
/// # Errors
/// [`OpenError::Disk`] when `root`, or a directory in it that may have records, cannot be listed.
pub fn orphaned_bytes(disk: &dyn Disk, root: &Path) -> Result<u64, OpenError> {
    let holds = |file: &DirEntry| {
        crate::drain::segment_name(file).is_some() && file.bytes > HEADER_BYTES as u64
    };
    let mut bytes = 0;
    for path in directory::list(disk, root).map_err(Fault::of(Operation::List, root))? {
        let files = match disk.list(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            other => other.map_err(Fault::of(Operation::List, &path))?,
        };
        let held: u64 = files
            .iter()
            .filter(|file| holds(file))
            .map(|file| file.bytes)
            .sum();
        // Taken for a moment and let go; an adopter that comes just then tries again later.
        let lock = disk.lock(&path.join(LOCK), false);
        if !lock.is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
            bytes += held;
        }
    }
    Ok(bytes)
}
