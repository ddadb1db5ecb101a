//! How much is in a spool directory.

use std::io::ErrorKind;
use std::path::Path;

use crate::directory;
use crate::disk::Disk;
use crate::error::{Fault, Operation};

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
