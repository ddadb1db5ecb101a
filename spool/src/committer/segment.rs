//! The segment that is written: made and verified, and closed at the end.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Committer;
use crate::directory::{self, Directory, SEGMENT};
use crate::disk::{AppendFile, ReadFile};
use crate::error::{Fault, Operation};
use crate::format::{self, HEADER_BYTES, Kind, SegmentName};
use crate::ledger::Segment;
use crate::report::Report;

/// A new segment, open for writing and for reading.
type Written = (Box<dyn AppendFile>, Arc<dyn ReadFile>);

impl Committer {
    /// A new segment: created, header synced, directory synced, read back.
    pub(super) fn make_segment(&mut self) -> Result<(), Fault> {
        let home = self.home()?;
        let name = SegmentName {
            number: self.number + 1,
            id: directory::random(&*self.ledger.disk, &home.1)?,
        };
        self.number += 1;
        let path = home.1.join(format!("{name}{SEGMENT}"));
        match self.write_header(&home.1, &path, name) {
            Ok((file, read)) => {
                self.file = Some(file);
                self.ledger.add_used(HEADER_BYTES as u64);
                self.ledger.state().activate(home.0, name, path, read);
                Ok(())
            }
            Err(fault) => {
                if fault.operation != Operation::Create {
                    // Best effort: whoever adopts the directory removes what is left.
                    self.discard(&path);
                }
                if fault.kind == ErrorKind::NotFound {
                    // The process directory is gone: the next attempt makes another.
                    self.ledger.state().home = None;
                }
                Err(fault)
            }
        }
    }

    pub(super) fn write_header(
        &self,
        home: &Path,
        path: &Path,
        name: SegmentName,
    ) -> Result<Written, Fault> {
        let disk = &self.ledger.disk;
        let header = format::encode_header(name, Kind::Queued);
        let mut file = disk
            .create(path)
            .map_err(Fault::of(Operation::Create, path))?;
        file.append(&header)
            .map_err(Fault::of(Operation::Write, path))?;
        file.sync().map_err(Fault::of(Operation::Sync, path))?;
        disk.sync_dir(home)
            .map_err(Fault::of(Operation::SyncDirectory, home))?;
        let read: Arc<dyn ReadFile> = disk
            .open(path)
            .map_err(Fault::of(Operation::Read, path))?
            .into();
        let mut back = [0; HEADER_BYTES];
        let length = read
            .read_at(0, &mut back)
            .map_err(Fault::of(Operation::Read, path))?;
        if length != HEADER_BYTES || back != header {
            let error = io::Error::from(ErrorKind::InvalidData);
            return Err(Fault::new(Operation::Read, path, &error));
        }
        Ok((file, read))
    }

    /// Our process directory, made if there is none (any more).
    pub(super) fn home(&mut self) -> Result<(u64, PathBuf), Fault> {
        {
            let state = self.ledger.state();
            let home = state
                .home
                .and_then(|key| Some((key, state.directories.get(&key)?)));
            if let Some((key, directory)) = home {
                return Ok((key, directory.path.clone()));
            }
        }
        let disk = &*self.ledger.disk;
        directory::make_root(disk, &self.ledger.root)?;
        let made = Directory::make(disk, &self.ledger.root)?;
        let path = made.path.clone();
        let mut state = self.ledger.state();
        let key = state.add_directory(made);
        state.home = Some(key);
        Ok((key, path))
    }

    /// Nothing will be written any more. An empty segment goes at once, and the directory with it
    /// if nothing else is in it; the rest is the drain's, or the next process's.
    pub(super) fn finish(&mut self) {
        self.file = None;
        let disk = &*self.ledger.disk;
        let (empty, home) = {
            let mut state = self.ledger.state();
            state.close_active();
            let empty = |segment: &Segment| {
                segment.closed && segment.limit <= HEADER_BYTES as u64 && segment.records == Some(0)
            };
            let keys: Vec<u64> = state
                .segments
                .iter()
                .filter(|(_, segment)| empty(segment))
                .map(|(key, _)| *key)
                .collect();
            let paths: Vec<PathBuf> = keys
                .iter()
                .filter_map(|key| state.segments.remove(key))
                .map(|segment| segment.path)
                .collect();
            let home = state.home.take();
            let last = home.filter(|key| state.segments.values().all(|s| s.directory != *key));
            (paths, last.and_then(|key| state.directories.remove(&key)))
        };
        for path in empty {
            self.discard(&path);
        }
        if let Some(home) = home
            && let Err(fault) = home.remove_if_empty(disk)
        {
            self.ledger.report(Report::TidyFailed(fault));
        }
    }

    pub(super) fn discard(&self, path: &Path) {
        let removed = directory::gone(self.ledger.disk.unlink(path));
        if let Err(fault) = removed.map_err(Fault::of(Operation::Remove, path)) {
            self.ledger.report(Report::TidyFailed(fault));
        }
    }
}
