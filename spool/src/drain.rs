//! Reads what is in the spool, and lets go of what is safe elsewhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::directory::{self, Directory, LOCK, SEGMENT};
use crate::disk::{DirEntry, Disk, ReadFile};
use crate::error::{Fault, OpenError, Operation, SetAsideError};
use crate::format::{self, FRAME_BYTES, HEADER_BYTES, Kind, SegmentName};
use crate::ledger::{Ledger, LedgerState, Segment};
use crate::options::Options;
use crate::queue::Queue;
use crate::report::Report;
use crate::scan::{Next, Scanner, Start, Tail};
use crate::set_aside::SetAside;
use crate::status::Status;
use crate::usage;

/// Where a record was read: what [`Drain::release`] takes. Positions grow in the order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    sequence: u64,
    segment: u64,
}

impl Position {
    /// Tells the segments of one [`Drain`] apart. Records of one segment come in the order of
    /// writing.
    #[must_use]
    pub fn segment(self) -> u64 {
        self.segment
    }
}

/// A record from the spool.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it was read.
    pub position: Position,
    /// Its time as it was submitted, in µs since 1970.
    pub at_micros: u64,
    /// Its bytes as they were submitted.
    pub record: Vec<u8>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.record.len();
        write!(
            f,
            "{:?} of {} with {bytes} bytes",
            self.position, self.at_micros
        )
    }
}

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
}

/// Reads the spool, oldest segment first. Blocks for as long as the disk takes.
#[derive(Debug)]
pub struct Drain {
    ledger: Arc<Ledger>,
    queue: Option<Arc<Queue>>,
    scanners: BTreeMap<u64, Scanner>,
    current: Option<u64>,
    sequence: u64,
    /// Read and not released, in the order of reading.
    window: VecDeque<Unreleased>,
    set_aside: SetAside,
}

#[derive(Debug)]
struct Unreleased {
    position: Position,
    at_micros: u64,
}

impl Drain {
    pub(crate) fn new(ledger: Arc<Ledger>, queue: Option<Arc<Queue>>) -> Self {
        Self {
            ledger,
            queue,
            scanners: BTreeMap::new(),
            current: None,
            sequence: 0,
            window: VecDeque::new(),
            set_aside: SetAside::default(),
        }
    }

    /// A reader of what dead processes left in `root`, without a spool of its own: for a
    /// directory brought from another host, and for tools. [`Drain::adopt`] comes next.
    ///
    /// # Errors
    /// [`OpenError::Disk`] when `root` cannot be listed.
    pub fn of_orphans(
        disk: Arc<dyn Disk>,
        root: &Path,
        options: Options,
    ) -> Result<Self, OpenError> {
        let used = usage::count(&*disk, root).map_err(Fault::of(Operation::List, root))?;
        let ledger = Ledger::new(disk, root.to_owned(), options);
        ledger.set_used(used);
        Ok(Self::new(Arc::new(ledger), None))
    }

    /// Takes over the directories whose processes are dead. Cheap when there are none: call it at
    /// the start and every few seconds. Reads the beginning of each segment only.
    ///
    /// # Errors
    /// [`Fault`] when the spool directory cannot be listed; trouble with one process directory is
    /// reported, and does not keep from the others.
    pub fn adopt(&mut self) -> Result<Adopted, Fault> {
        let ledger = Arc::clone(&self.ledger);
        let (disk, root) = (&*ledger.disk, &*ledger.root);
        let mut adopted = Adopted::default();
        let found = directory::list(disk, root).map_err(Fault::of(Operation::List, root))?;
        for path in found {
            let ours = |state: &LedgerState| state.directories.values().any(|d| d.path == path);
            if ours(&ledger.state()) {
                continue;
            }
            match Directory::adopt(disk, &path) {
                Ok(Some(directory)) => {
                    if let Err(fault) = self.take_over(directory, &mut adopted) {
                        ledger.report(Report::TidyFailed(fault));
                    }
                }
                Ok(None) => adopted.in_use += 1,
                Err(fault) => ledger.report(Report::TidyFailed(fault)),
            }
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

    /// The next record, or `None` when all that is synced was read (for now).
    ///
    /// Damage, torn tails and failing reads are reported, not returned: they never keep from what
    /// can be read.
    #[allow(clippy::should_implement_trait, reason = "None is not the end")]
    pub fn next(&mut self) -> Option<Entry> {
        let mut failed = BTreeSet::new();
        loop {
            let Some(key) = self.current.or_else(|| self.choose(&failed)) else {
                self.tidy();
                return None;
            };
            self.current = Some(key);
            match self.read(key) {
                Ok(Some(entry)) => return Some(entry),
                Ok(None) => {}
                Err(fault) => {
                    failed.insert(key);
                    self.park(key, Report::ReadFailed(fault));
                }
            }
        }
    }

    /// Everything up to `up_to`, in the order of reading, is safe elsewhere. Segments that are
    /// drained by this are unlinked. What fails at that is reported and tried again.
    pub fn release(&mut self, up_to: Position) {
        let ledger = Arc::clone(&self.ledger);
        let mut state = ledger.state();
        while let Some(first) = self.window.pop_front_if(|first| first.position <= up_to) {
            state.counts.released_records += 1;
            if let Some(segment) = state.segments.get_mut(&first.position.segment) {
                segment.released += 1;
                segment.oldest_at = Some(first.at_micros);
            }
        }
        if let Some(next) = self.window.front()
            && let Some(segment) = state.segments.get_mut(&next.position.segment)
        {
            segment.oldest_at = Some(next.at_micros);
        }
        drop(state);
        self.tidy();
    }

    /// Keeps a record that can never be delivered where a person finds it: in `set-aside/`, synced,
    /// with the reason. The record still has to be released.
    ///
    /// # Errors
    /// [`SetAsideError`] when the disk does not take it; it stays in the spool.
    pub fn set_aside(&mut self, entry: &Entry, reason: &str) -> Result<PathBuf, SetAsideError> {
        let path = self.set_aside.reject(&self.ledger, entry, reason)?;
        self.ledger.report(Report::SetAside {
            path: path.clone(),
            reason: reason.to_owned(),
        });
        Ok(path)
    }

    /// Records that were read and not released.
    #[must_use]
    pub fn unreleased(&self) -> usize {
        self.window.len()
    }

    /// The state now. Never waits for the disk.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(&self.ledger, self.queue.as_deref())
    }

    /// What happened since the last call, oldest first.
    #[must_use]
    pub fn take_reports(&self) -> Vec<Report> {
        self.ledger.state().take_reports()
    }

    /// The segment to read next: the one with the oldest record that has something to read.
    fn choose(&self, failed: &BTreeSet<u64>) -> Option<u64> {
        let state = self.ledger.state();
        let readable = |segment: &Segment| {
            let more = segment.read_bytes < segment.limit || segment.closed;
            !segment.read_whole && !segment.refused && more && !segment.is_parked()
        };
        state
            .segments
            .iter()
            .filter(|(key, segment)| readable(segment) && !failed.contains(key))
            // What has no readable first record may be the oldest.
            .min_by_key(|(key, segment)| (segment.oldest_at, **key))
            .map(|(key, _)| *key)
    }

    /// The next record of a segment; `None` when something else was found.
    fn read(&mut self, key: u64) -> Result<Option<Entry>, Fault> {
        let ledger = Arc::clone(&self.ledger);
        let Some((path, limit, tail, closed)) = ledger.state().segments.get(&key).map(|segment| {
            (
                segment.path.clone(),
                segment.limit,
                segment.tail,
                segment.closed,
            )
        }) else {
            self.current = None;
            return Ok(None);
        };
        if !self.scanners.contains_key(&key) && !self.start(key)? {
            return Ok(None);
        }
        let Some(scanner) = self.scanners.get_mut(&key) else {
            return Ok(None);
        };
        let next = scanner
            .next(limit, tail)
            .map_err(Fault::of(Operation::Read, &path))?;
        let mut state = ledger.state();
        let Some(segment) = state.segments.get_mut(&key) else {
            return Ok(None);
        };
        match next {
            Next::Record { end, at_micros } => {
                segment.read += 1;
                segment.read_bytes = end;
                state.counts.read_records += 1;
                self.sequence += 1;
                let position = Position {
                    sequence: self.sequence,
                    segment: key,
                };
                self.window.push_back(Unreleased {
                    position,
                    at_micros,
                });
                return Ok(Some(Entry {
                    position,
                    at_micros,
                    record: scanner.record().to_vec(),
                }));
            }
            Next::Damage(bytes) => {
                segment.add_damage(bytes.clone());
                segment.read_bytes = bytes.end;
                state.report(Report::Damage {
                    segment: path,
                    bytes,
                });
            }
            Next::Torn(bytes) => {
                segment.read_bytes = bytes.end;
                state.report(Report::TornTail {
                    segment: path,
                    bytes,
                });
            }
            Next::End => {
                self.current = None;
                if closed {
                    segment.read_whole = true;
                    segment.records = Some(segment.read);
                    self.scanners.remove(&key);
                }
            }
        }
        Ok(None)
    }

    /// Opens a segment; says whether it is to be read.
    fn start(&mut self, key: u64) -> Result<bool, Fault> {
        let ledger = Arc::clone(&self.ledger);
        let Some((path, name, limit, held)) = ledger.state().segments.get(&key).map(|segment| {
            (
                segment.path.clone(),
                segment.name,
                segment.limit,
                segment.file.clone(),
            )
        }) else {
            return Ok(false);
        };
        let opened = match held {
            Some(file) => Ok(file),
            None => ledger.disk.open(&path).map(Arc::from),
        };
        let file: Arc<dyn ReadFile> = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.forget(key);
                ledger.report(Report::Vanished { segment: path });
                return Ok(false);
            }
            other => other.map_err(Fault::of(Operation::Read, &path))?,
        };
        let (scanner, start) =
            Scanner::open(file, name, limit).map_err(Fault::of(Operation::Read, &path))?;
        let version = match start {
            Start::Good(Kind::Queued) | Start::HeaderDamaged => None,
            Start::Good(Kind::Rejected) => Some(format::VERSION),
            Start::Unknown(version) => Some(version),
        };
        if let Some(version) = version {
            let mut state = ledger.state();
            if let Some(segment) = state.segments.get_mut(&key) {
                segment.refused = true;
            }
            self.current = None;
            state.report(Report::UnknownVersion {
                segment: path,
                version,
            });
            return Ok(false);
        }
        self.scanners.insert(key, scanner);
        Ok(true)
    }

    /// Lets go of drained segments and of directories without any, and has the segment that is
    /// being written retired if it is time.
    fn tidy(&mut self) {
        if self.ledger.retire()
            && let Some(queue) = &self.queue
        {
            queue.nudge();
        }
        // A retired segment is found to be read whole without another look at the disk.
        let ledger = Arc::clone(&self.ledger);
        let drained: Vec<u64> = {
            let mut state = ledger.state();
            for (key, segment) in &mut state.segments {
                let at_end = segment.closed && segment.read_bytes == segment.limit;
                if at_end && segment.tail == Tail::Synced && !segment.read_whole {
                    segment.read_whole = true;
                    self.scanners.remove(key);
                    self.current = self.current.filter(|current| current != key);
                }
            }
            let segments = state.segments.iter();
            segments
                .filter(|(_, segment)| segment.is_drained() && !segment.is_parked())
                .map(|(key, _)| *key)
                .collect()
        };
        for key in drained {
            if let Err(fault) = self.remove(key) {
                self.park(key, Report::TidyFailed(fault));
            }
        }
    }

    /// Unlinks a drained segment, after what is damaged in it was set aside.
    fn remove(&mut self, key: u64) -> Result<(), Fault> {
        let ledger = Arc::clone(&self.ledger);
        let Some((path, bytes, damage, held)) = ledger.state().segments.get(&key).map(|segment| {
            (
                segment.path.clone(),
                segment.limit,
                segment.damage.clone(),
                segment.file.clone(),
            )
        }) else {
            return Ok(());
        };
        if !damage.is_empty() {
            self.set_aside.keep_damage(&ledger, &path, held, &damage)?;
        }
        directory::gone(ledger.disk.unlink(&path)).map_err(Fault::of(Operation::Remove, &path))?;
        ledger.free_used(bytes);
        ledger.state().counts.segments_drained += 1;
        // Should the name come back after a crash, its records are drained again.
        if let Some(parent) = path.parent()
            && let Err(error) = directory::gone(ledger.disk.sync_dir(parent))
        {
            let fault = Fault::new(Operation::SyncDirectory, parent, &error);
            ledger.report(Report::TidyFailed(fault));
        }
        self.forget(key);
        Ok(())
    }

    /// Strikes a segment off, and its directory if it was the last.
    fn forget(&mut self, key: u64) {
        self.scanners.remove(&key);
        self.current = self.current.filter(|current| *current != key);
        let removed = self.ledger.state().segments.remove(&key);
        if let Some(segment) = removed {
            self.leave(segment.directory);
        }
    }

    /// Removes a directory without segments, unless it is where new ones go.
    fn leave(&mut self, key: u64) {
        let directory = {
            let mut state = self.ledger.state();
            let needed = state.home == Some(key)
                || state
                    .segments
                    .values()
                    .any(|segment| segment.directory == key);
            if needed {
                return;
            }
            state.directories.remove(&key)
        };
        let Some(directory) = directory else { return };
        match directory.remove_if_empty(&*self.ledger.disk) {
            Ok(true) => {}
            // Something foreign is in it: stays ours, so that it is not found again and again.
            Ok(false) => {
                self.ledger.state().directories.insert(key, directory);
            }
            Err(fault) => self.ledger.report(Report::TidyFailed(fault)),
        }
    }

    /// Leaves a segment alone for a while.
    fn park(&mut self, key: u64, report: Report) {
        let mut state = self.ledger.state();
        state.report(report);
        if let Some(segment) = state.segments.get_mut(&key) {
            segment.parked_until = Some(Instant::now() + self.ledger.options.retry_every);
        }
        self.current = self.current.filter(|current| *current != key);
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
