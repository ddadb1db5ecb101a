//! What is on disk and how far it is drained: shared by the writer, the drain and the status.
//! Its mutex is never held during I/O.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::directory::Directory;
use crate::disk::{Disk, ReadFile};
use crate::error::Fault;
use crate::format::{HEADER_BYTES, SegmentName};
use crate::options::Options;
use crate::report::Report;
use crate::scan::Tail;
use crate::status::Counts;
use crate::usage::Usage;

/// Reports that wait to be taken; further ones are counted only.
const REPORTS: usize = 1_000;
/// Own segments that stay open for reading. Open, they can be drained even when somebody deleted
/// them; more would use up file descriptors that connections need.
const HELD_OPEN: usize = 64;
/// Damaged ranges that are told apart in one segment.
const RANGES: usize = 1_000;

#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) root: PathBuf,
    pub(crate) options: Options,
    used: AtomicU64,
    /// Of these, what is not the spool's.
    foreign: AtomicU64,
    state: Mutex<LedgerState>,
}

#[derive(Debug)]
pub(crate) struct LedgerState {
    next_key: u64,
    pub(crate) directories: BTreeMap<u64, Directory>,
    pub(crate) segments: BTreeMap<u64, Segment>,
    /// The directory that new segments go to.
    pub(crate) home: Option<u64>,
    /// The segment that is being written.
    active: Option<u64>,
    /// A write to it is under way.
    writing: bool,
    last_commit: Instant,
    pub(crate) counts: Counts,
    /// Why directories could not be taken over, the last time.
    pub(crate) stranded: Vec<Fault>,
    reports: VecDeque<Report>,
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) directory: u64,
    pub(crate) name: SegmentName,
    pub(crate) path: PathBuf,
    /// Held open for an own one.
    pub(crate) file: Option<Arc<dyn ReadFile>>,
    /// What may be read: synced bytes of an own one, the whole file of an adopted one.
    pub(crate) limit: u64,
    pub(crate) tail: Tail,
    /// Nothing more will be written.
    pub(crate) closed: bool,
    /// Read up to its limit after it was closed.
    pub(crate) read_whole: bool,
    /// Not to be read or removed: another version's.
    pub(crate) refused: bool,
    /// Records in it, where known.
    pub(crate) records: Option<u64>,
    pub(crate) read: u64,
    pub(crate) released: u64,
    pub(crate) read_bytes: u64,
    /// Time of the oldest record that is not released.
    pub(crate) oldest_at: Option<u64>,
    pub(crate) damage: Vec<Range<u64>>,
    /// After a failure: not to be touched before.
    pub(crate) parked_until: Option<Instant>,
}

impl Segment {
    pub(crate) fn is_parked(&self) -> bool {
        self.parked_until
            .is_some_and(|until| Instant::now() < until)
    }

    /// Whether everything in it is safe elsewhere.
    pub(crate) fn is_drained(&self) -> bool {
        self.closed && self.read_whole && self.released == self.read && !self.refused
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.records
            .unwrap_or(self.read)
            .saturating_sub(self.released)
    }

    pub(crate) fn add_damage(&mut self, bytes: Range<u64>) {
        let full = self.damage.len() >= RANGES;
        match self.damage.last_mut().filter(|_| full) {
            Some(last) => last.end = bytes.end,
            None => self.damage.push(bytes),
        }
    }
}

impl Ledger {
    pub(crate) fn new(disk: Arc<dyn Disk>, root: PathBuf, options: Options) -> Self {
        Self {
            disk,
            root,
            options,
            used: AtomicU64::new(0),
            foreign: AtomicU64::new(0),
            state: Mutex::new(LedgerState {
                next_key: 0,
                directories: BTreeMap::new(),
                segments: BTreeMap::new(),
                home: None,
                active: None,
                writing: false,
                last_commit: Instant::now(),
                counts: Counts::default(),
                stranded: Vec::new(),
                reports: VecDeque::new(),
            }),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, LedgerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that lie beside the spool's own directories, at the last count.
    pub(crate) fn foreign(&self) -> u64 {
        self.foreign.load(Ordering::Relaxed)
    }

    pub(crate) fn set_used(&self, usage: &Usage) {
        self.used.store(usage.bytes, Ordering::Relaxed);
        self.foreign.store(usage.foreign_bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_used(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn free_used(&self, bytes: u64) {
        let freed = |used: u64| Some(used.saturating_sub(bytes));
        let order = Ordering::Relaxed;
        // The closure never says no.
        self.used.fetch_update(order, order, freed).ok();
    }

    pub(crate) fn report(&self, report: Report) {
        self.state().report(report);
    }

    /// Closes the segment that is being written if it is drained whole and has grown or rested
    /// enough; says whether it did. A fresh one is made by the committer.
    pub(crate) fn retire(&self) -> bool {
        let mut state = self.state();
        let Some(key) = state.active.filter(|_| !state.writing) else {
            return false;
        };
        let rested = state.last_commit.elapsed() >= self.options.retire_after;
        let Some(segment) = state.segments.get_mut(&key) else {
            return false;
        };
        let enough = rested || segment.limit >= self.options.retire_bytes;
        let written = segment.limit > HEADER_BYTES as u64;
        let drained = segment.read_bytes == segment.limit && segment.released == segment.read;
        if !(written && drained && enough) {
            return false;
        }
        segment.closed = true;
        state.active = None;
        true
    }
}

impl LedgerState {
    pub(crate) fn report(&mut self, report: Report) {
        match &report {
            Report::Damage { bytes, .. } => self.counts.damaged_bytes += bytes.end - bytes.start,
            Report::TornTail { .. } => self.counts.torn_tails += 1,
            Report::ReadFailed(_) => self.counts.read_failures += 1,
            Report::SetAside { .. } => self.counts.set_aside_records += 1,
            Report::UnknownVersion { .. }
            | Report::ForeignFile { .. }
            | Report::Vanished { .. }
            | Report::Recovered { .. }
            | Report::WriteFailed(_)
            | Report::CountFailed(_)
            | Report::TidyFailed(_) => {}
        }
        if self.reports.len() < REPORTS {
            self.reports.push_back(report);
        } else {
            self.counts.reports_dropped += 1;
        }
    }

    pub(crate) fn take_reports(&mut self) -> Vec<Report> {
        self.reports.drain(..).collect()
    }

    pub(crate) fn add_directory(&mut self, directory: Directory) -> u64 {
        let key = self.key();
        self.directories.insert(key, directory);
        key
    }

    pub(crate) fn add_segment(&mut self, segment: Segment) -> u64 {
        let key = self.key();
        self.segments.insert(key, segment);
        key
    }

    /// A new segment, verified and empty, is the one to write to.
    pub(crate) fn activate(
        &mut self,
        directory: u64,
        name: SegmentName,
        path: PathBuf,
        file: Arc<dyn ReadFile>,
    ) {
        let held = self
            .segments
            .values()
            .filter(|segment| segment.file.is_some());
        let file = (held.count() < HELD_OPEN).then_some(file);
        let key = self.add_segment(Segment {
            directory,
            name,
            path,
            file,
            limit: HEADER_BYTES as u64,
            tail: Tail::Synced,
            closed: false,
            read_whole: false,
            refused: false,
            records: Some(0),
            read: 0,
            released: 0,
            read_bytes: HEADER_BYTES as u64,
            oldest_at: None,
            damage: Vec::new(),
            parked_until: None,
        });
        self.active = Some(key);
        self.counts.segments_made += 1;
    }

    pub(crate) fn has_active(&self) -> bool {
        self.active.is_some()
    }

    pub(crate) fn active_segment(&self) -> Option<&Segment> {
        self.segments.get(&self.active?)
    }

    /// Says that a write begins; `None` if there is no segment to write to (any more). Otherwise
    /// its length.
    pub(crate) fn begin_write(&mut self) -> Option<u64> {
        let length = self.segments.get(&self.active?)?.limit;
        self.writing = true;
        Some(length)
    }

    /// The write is synced.
    pub(crate) fn committed(&mut self, bytes: u64, records: u64, first_at: u64) {
        self.writing = false;
        self.last_commit = Instant::now();
        self.counts.commits += 1;
        self.counts.committed_records += records;
        self.counts.committed_bytes += bytes;
        let segment = self.active.and_then(|key| self.segments.get_mut(&key));
        if let Some(segment) = segment {
            segment.limit += bytes;
            segment.records = segment.records.map(|known| known + records);
            segment.oldest_at.get_or_insert(first_at);
        }
    }

    /// Nothing more is written to the active segment: it is full, failed, or the spool closes.
    pub(crate) fn close_active(&mut self) {
        self.writing = false;
        if let Some(segment) = self
            .active
            .take()
            .and_then(|key| self.segments.get_mut(&key))
        {
            segment.closed = true;
        }
    }

    fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }
}
