//! Takes over what dead processes left.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Drain;
use crate::directory::{self, Directory, LOCK, SEGMENT};
use crate::disk::{DirEntry, Disk};
use crate::error::{Fault, Operation};
use crate::format::{self, FRAME_BYTES, HEADER_BYTES, SegmentName};
use crate::ledger::{LedgerState, Segment};
use crate::report::Report;
use crate::scan::Tail;

/// What [`Drain::adopt`] took over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Directories of dead processes.
    pub directories: u64,
    /// Segments in them.
    pub segments: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Directories that belong to living processes.
    pub in_use: u64,
    /// Directories that could not be taken over, whatever is in them:
    /// [`Status::stranded`](crate::Status::stranded) says why.
    pub stranded: u64,
}

impl Drain {
    /// Takes over the directories whose processes are dead. Cheap when there are none: call it at
    /// the start and every few seconds. Reads the beginning of each segment only.
    ///
    /// # Errors
    /// [`Fault`] when the spool directory cannot be listed; trouble with one process directory is
    /// reported, counted in [`Adopted::stranded`], and does not keep from the others.
    pub fn adopt(&mut self) -> Result<Adopted, Fault> {
        let ledger = Arc::clone(&self.ledger);
        let (disk, root) = (&*ledger.disk, &*ledger.root);
        let mut adopted = Adopted::default();
        let mut stranded = Vec::new();
        let found = directory::list(disk, root).map_err(Fault::of(Operation::List, root))?;
        for path in found {
            let ours = |state: &LedgerState| state.directories.values().any(|d| d.path == path);
            if ours(&ledger.state()) {
                continue;
            }
            let taken = match Directory::adopt(disk, &path) {
                Ok(Some(directory)) => self.take_over(directory, &mut adopted),
                Ok(None) => {
                    adopted.in_use += 1;
                    Ok(())
                }
                Err(fault) => Err(fault),
            };
            if let Err(fault) = taken {
                ledger.report(Report::TidyFailed(fault.clone()));
                stranded.push(fault);
            }
        }
        adopted.stranded = stranded.len() as u64;
        ledger.state().stranded = stranded;
        if let Some(queue) = &self.queue {
            // What others wrote or drained counts too, also while nothing is written here.
            queue.recount();
        }
        Ok(adopted)
    }

    fn take_over(&mut self, directory: Directory, adopted: &mut Adopted) -> Result<(), Fault> {
        let ledger = Arc::clone(&self.ledger);
        let path = directory.path.clone();
        let entries = ledger
            .disk
            .list(&path)
            .map_err(Fault::of(Operation::List, &path))?;
        let mut segments = Vec::new();
        for entry in entries.into_iter().filter(|entry| entry.name != LOCK) {
            let file = path.join(&entry.name);
            match segment_name(&entry) {
                Some(name) => segments.push(found(&*ledger.disk, name, file, entry.bytes)),
                None => ledger.report(Report::ForeignFile { path: file }),
            }
        }
        segments.sort_by_key(|segment| segment.name);
        adopted.directories += 1;
        adopted.segments += segments.len() as u64;
        adopted.bytes += segments.iter().map(|segment| segment.limit).sum::<u64>();
        let empty = segments.is_empty();
        let mut state = ledger.state();
        let key = state.add_directory(directory);
        for segment in segments {
            state.add_segment(Segment {
                directory: key,
                ..segment
            });
        }
        drop(state);
        if empty {
            self.leave(key);
        }
        Ok(())
    }
}

/// The name of a segment file, if the entry is one.
pub(crate) fn segment_name(entry: &DirEntry) -> Option<SegmentName> {
    let stem = entry.name.strip_suffix(SEGMENT)?;
    SegmentName::parse(stem).filter(|_| !entry.is_dir)
}

/// A dead process's segment, not read yet.
fn found(disk: &dyn Disk, name: SegmentName, path: PathBuf, bytes: u64) -> Segment {
    // Without a readable first record, it counts as the oldest. The reader will see why.
    let oldest_at = first_at(disk, name, &path).unwrap_or(None);
    Segment {
        directory: 0,
        name,
        path,
        file: None,
        limit: bytes,
        tail: Tail::MayBeTorn,
        closed: true,
        read_whole: false,
        refused: false,
        records: None,
        read: 0,
        released: 0,
        read_bytes: 0,
        oldest_at,
        damage: Vec::new(),
        parked_until: None,
    }
}

/// The time of the first record, from the first bytes.
fn first_at(disk: &dyn Disk, name: SegmentName, path: &Path) -> io::Result<Option<u64>> {
    let mut bytes = [0; HEADER_BYTES + FRAME_BYTES];
    let length = disk.open(path)?.read_at(0, &mut bytes)?;
    let head = bytes.get(HEADER_BYTES..length);
    let head = head.and_then(|head| format::decode_head(head, name.id, HEADER_BYTES as u64));
    Ok(head.map(|head| head.at_micros))
}
