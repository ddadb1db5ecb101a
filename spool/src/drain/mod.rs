//! Reads what is in the spool, and lets go of what is safe elsewhere.

mod adoption;
mod entry;
mod reading;
mod tidying;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::{OpenError, SetAsideError};
use crate::ledger::Ledger;
use crate::options::Options;
use crate::queue::Queue;
use crate::report::Report;
use crate::scan::Scanner;
use crate::set_aside::SetAside;
use crate::status::Status;
use crate::usage;

pub use adoption::Adopted;
pub(crate) use adoption::segment_name;
pub use entry::{Entry, Position};

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
        let used = usage::count(&*disk, root)?;
        let ledger = Ledger::new(disk, root.to_owned(), options);
        ledger.set_used(&used);
        Ok(Self::new(Arc::new(ledger), None))
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
}
