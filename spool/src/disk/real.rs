//! The operating system's file system.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, fchown,
};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::{AppendFile, DirEntry, Disk, LockGuard, ReadFile};

/// Records hold personal data: for the owner's eyes only.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// The operating system's file system, through plain blocking calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(DIR_MODE).create(path)?;
        // A directory, whatever somebody put in its place meanwhile.
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if let Ok(made) = rustix::fs::open(path, flags, Mode::empty()) {
            hand_over(&File::from(made), path);
        }
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            match entry.metadata() {
                Ok(metadata) => entries.push(DirEntry {
                    name,
                    is_dir: metadata.is_dir(),
                    bytes: if metadata.is_dir() { 0 } else { metadata.len() },
                }),
                // Gone between the listing and the look: another process drains too.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(FILE_MODE);
        let file = options.open(path)?;
        hand_over(&file, path);
        Ok(Box::new(RealAppend(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        Ok(Box::new(RealRead(File::open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn lock(&self, path: &Path, make: bool) -> io::Result<Box<dyn LockGuard>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(make);
        let file = options.mode(FILE_MODE).open(path)?;
        if make {
            hand_over(&file, path);
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The former holder may have removed the file between our open and our lock: then the lock
        // is on a file that nobody else will ever find.
        let (ours, found) = (file.metadata()?, fs::metadata(path)?);
        if (ours.dev(), ours.ino()) != (found.dev(), found.ino()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(RealLock(file)))
    }

    fn random(&self) -> io::Result<u64> {
        getrandom::u64().map_err(io::Error::other)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(path)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

/// What root makes belongs to whom the directory belongs to that it is in: a service that runs as a
/// user of its own could not drain it otherwise. Best effort, because some may not do that even as
/// root; what then stays behind is reported by whoever cannot take it over.
fn hand_over(made: &File, path: &Path) {
    let Some(parent) = path.parent() else { return };
    let (Ok(made_as), Ok(parent)) = (made.metadata(), fs::metadata(parent)) else {
        return;
    };
    if made_as.uid() == 0 && parent.uid() != 0 {
        drop(fchown(made, Some(parent.uid()), Some(parent.gid())));
    }
}

#[derive(Debug)]
struct RealAppend(File);

impl AppendFile for RealAppend {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()?;
        // One fstat, so that deleting the directory under a running process is not taken for
        // success: writing and syncing a file without a name works, and means nothing.
        if self.0.metadata()?.nlink() == 0 {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(())
    }
}

#[derive(Debug)]
struct RealRead(File);

impl ReadFile for RealRead {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.0.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }
}

/// The lock is the open file's: closing it is letting go.
#[derive(Debug)]
#[expect(dead_code, reason = "held, never read")]
struct RealLock(File);

impl LockGuard for RealLock {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_directory() {
        let place = tempfile::tempdir().unwrap();
        let owner = |path: &Path| {
            let found = fs::metadata(path).unwrap();
            (found.uid(), found.gid())
        };
        let ours = owner(place.path());
        let root = place.path().join("spool");
        RealDisk.create_dir(&root).unwrap();
        // Nobody else can give it away; then everything stays as it is.
        let theirs = (54_321, 54_322);
        let given = std::os::unix::fs::chown(&root, Some(theirs.0), Some(theirs.1)).is_ok();
        let expected = if given { theirs } else { ours };
        let (directory, file, lock) = (root.join("d"), root.join("f"), root.join("d/lock"));
        RealDisk.create_dir(&directory).unwrap();
        drop(RealDisk.create(&file).unwrap());
        drop(RealDisk.lock(&lock, true).unwrap());
        assert_eq!(
            [&directory, &file, &lock].map(|path| owner(path)),
            [expected; 3]
        );
    }
}
