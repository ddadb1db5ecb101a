//! The cache directory: one folder per installed part and version.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::step::Steps;
use crate::StackError;

/// Prefix of folders that are not complete yet.
const UNFINISHED: &str = "unfinished-";

/// `$XDG_CACHE_HOME/postback`, or `~/.cache/postback`.
///
/// # Errors
/// [`StackError::NoCacheDirectory`] when neither it nor `HOME` is set to an absolute path.
pub fn cache_directory() -> Result<PathBuf, StackError> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".cache")))
        .map(|base| base.join("postback"))
        .ok_or(StackError::NoCacheDirectory)
}

/// The directory that keeps what was installed, for all checkouts of one user.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
}

/// Held while something is installed; released when dropped or when the process dies.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Cache {
    /// Opens it, and makes it if needed.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open() -> Result<Self, StackError> {
        let directory = cache_directory()?;
        std::fs::create_dir_all(&directory).map_err(StackError::io("create", &directory))?;
        Ok(Self { directory })
    }

    /// Where a part stands or will stand.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Waits until no other process installs, then removes what interrupted ones left.
    pub(super) fn lock(&self, steps: &Steps<'_>) -> Result<Lock, StackError> {
        let path = self.path("install.lock");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(StackError::io("open", &path))?;
        let mut told = false;
        while let Err(error) = file.try_lock() {
            if let std::fs::TryLockError::Error(source) = error {
                return Err(StackError::io("lock", &path)(source));
            }
            if !told {
                (steps.report)("Waiting for another installation to finish");
                told = true;
            }
            steps.cancellation.sleep(Duration::from_millis(100))?;
        }
        self.remove_unfinished()?;
        Ok(Lock(file))
    }

    fn remove_unfinished(&self) -> Result<(), StackError> {
        let list = std::fs::read_dir(&self.directory);
        for entry in list.map_err(StackError::io("list", &self.directory))? {
            let path = entry
                .map_err(StackError::io("list", &self.directory))?
                .path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| name.starts_with(UNFINISHED)) {
                std::fs::remove_dir_all(&path).map_err(StackError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// The folder of a part, filled by `fill` if it is not there. It appears under its name only
    /// when `fill` has succeeded. The caller holds the lock.
    pub(super) fn part(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<(), StackError>,
    ) -> Result<PathBuf, StackError> {
        let finished = self.path(name);
        if finished.is_dir() {
            return Ok(finished);
        }
        let unfinished = self.path(&format!("{UNFINISHED}{name}"));
        std::fs::create_dir(&unfinished).map_err(StackError::io("create", &unfinished))?;
        fill(&unfinished)?;
        std::fs::rename(&unfinished, &finished).map_err(StackError::io("create", &finished))?;
        Ok(finished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(directory: &Path) -> Cache {
        Cache {
            directory: directory.to_owned(),
        }
    }

    #[test]
    fn a_part_is_filled_once() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path());
        let write = |path: &Path| {
            std::fs::write(path.join("file"), "1").map_err(StackError::io("write", path))
        };
        let part = cache.part("part-1", write).unwrap();
        assert!(part.join("file").exists());
        cache.part("part-1", |_| panic!("filled twice")).unwrap();
    }

    #[test]
    fn a_part_that_failed_is_not_there_and_can_be_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path());
        let steps = Steps {
            cancellation: &crate::Cancellation::new(),
            report: &|_| {},
        };
        let failed = cache.part("part-1", |path| {
            std::fs::write(path.join("half"), "1").unwrap();
            Err(StackError::Cancelled)
        });
        assert!(failed.is_err() && !cache.path("part-1").exists());
        let _lock = cache.lock(&steps).unwrap();
        let part = cache.part("part-1", |_| Ok(())).unwrap();
        assert!(!part.join("half").exists());
    }

    #[test]
    fn a_second_installer_waits_for_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let cancellation = crate::Cancellation::new();
        let lock = |report: &dyn Fn(&str)| {
            let steps = Steps {
                cancellation: &cancellation,
                report,
            };
            cache(directory.path()).lock(&steps)
        };
        let first = lock(&|_| panic!("nobody to wait for")).unwrap();
        let (waits, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let second =
                scope.spawn(|| lock(&|line| waits.send(line.to_owned()).unwrap()).map(drop));
            assert_eq!(
                told.recv().unwrap(),
                "Waiting for another installation to finish"
            );
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap().unwrap();
        });
    }
}
