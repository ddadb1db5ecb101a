//! How much is in a spool directory.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::disk::Disk;

/// Bytes of all files in the spool directory and in its directories: one listing each.
pub(crate) fn count(disk: &dyn Disk, root: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in disk.list(root)? {
        if !entry.is_dir {
            bytes += entry.bytes;
            continue;
        }
        match disk.list(&root.join(&entry.name)) {
            Ok(files) => bytes += files.iter().map(|file| file.bytes).sum::<u64>(),
            // Drained and removed by its owner meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
