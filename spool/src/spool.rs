//! The spool as its users see it.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::committer::Committer;
use crate::disk::Disk;
use crate::drain::Drain;
use crate::error::{Fault, OpenError, Operation, SubmitError};
use crate::ledger::{Ledger, Segment};
use crate::options::Options;
use crate::queue::Queue;
use crate::report::Report;
use crate::status::Status;

/// Hears what became of a record. Called on the committer's thread: it must be quick and must not
/// wait. A panic in it is caught.
pub trait Completion: Send {
    /// Whether anybody still wants the record in the spool, asked right before it is written. A
    /// record that Kafka confirmed meanwhile need not be. If not, it is left out and
    /// [`Completion::complete`] is not called.
    fn is_wanted(&self) -> bool {
        true
    }

    /// `Ok`: the record is durable. Called once, unless [`Completion::is_wanted`] said no.
    fn complete(self: Box<Self>, outcome: Result<(), SubmitError>);
}

impl<F: FnOnce(Result<(), SubmitError>) + Send> Completion for F {
    fn complete(self: Box<Self>, outcome: Result<(), SubmitError>) {
        (*self)(outcome);
    }
}

/// An open spool: a process directory of its own under the spool directory. May be shared between
/// threads. Dropping it closes it without waiting.
#[derive(Debug)]
pub struct Spool {
    ledger: Arc<Ledger>,
    queue: Arc<Queue>,
}

impl Spool {
    /// Makes a process directory in `root` (made too, if its parent is there) with an empty,
    /// verified segment, and starts the committer's thread. Reads nothing of what others left:
    /// [`Drain::adopt`] does. Blocks for a few writes and syncs.
    ///
    /// Where the disk lets nothing be made (it is full, say) but the directory can be searched, the
    /// spool is open and not ready ([`Status::ready`]): it drains, and tries again by itself.
    ///
    /// # Errors
    /// [`OpenError::Option`] for contradictory options, [`OpenError::Disk`] when the directory
    /// cannot be used at all.
    pub fn open(disk: Arc<dyn Disk>, root: &Path, options: Options) -> Result<Self, OpenError> {
        let (spool, committer) = Self::with_committer(disk, root, options)?;
        thread::Builder::new()
            .name("spool-commit".to_owned())
            .spawn(move || committer.run())
            .map_err(Fault::of(Operation::Create, root))?;
        Ok(spool)
    }

    /// Like [`Spool::open`], but the caller runs the committer, on a thread or step by step.
    /// Nothing completes while nobody does.
    ///
    /// # Errors
    /// As [`Spool::open`].
    pub fn with_committer(
        disk: Arc<dyn Disk>,
        root: &Path,
        options: Options,
    ) -> Result<(Self, Committer), OpenError> {
        options.check()?;
        let ledger = Arc::new(Ledger::new(disk, root.to_owned(), options));
        let queue = Arc::new(Queue::default());
        let committer = Committer::open(Arc::clone(&ledger), Arc::clone(&queue))?;
        Ok((Self { ledger, queue }, committer))
    }

    /// Offers a record to be made durable; `at_micros` is its time in µs since 1970. Does not
    /// wait: `completion` hears the outcome. On an error it is dropped unheard.
    ///
    /// # Errors
    /// [`SubmitError::TooLarge`], [`SubmitError::Full`], [`SubmitError::DiskFull`],
    /// [`SubmitError::Busy`], [`SubmitError::NotReady`] or [`SubmitError::Closed`], at once.
    pub fn submit(
        &self,
        record: &[u8],
        at_micros: u64,
        completion: impl Completion + 'static,
    ) -> Result<(), SubmitError> {
        let used = self.ledger.used();
        let options = &self.ledger.options;
        let pushed = self
            .queue
            .push(record, at_micros, Box::new(completion), used, options);
        if let Err(SubmitError::Full { .. }) = pushed {
            self.queue.nudge();
        }
        pushed
    }

    /// A reader of what is here. Several would each see every record, and a release by one does
    /// not hold for the other: use one.
    #[must_use]
    pub fn drain(&self) -> Drain {
        Drain::new(Arc::clone(&self.ledger), Some(Arc::clone(&self.queue)))
    }

    /// The state now. Never waits for the disk.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(&self.ledger, Some(&self.queue))
    }

    /// How long the present write has been under way, if there is one: [`Status::stalled_for`] alone,
    /// cheap enough to be asked for every record.
    #[must_use]
    pub fn stalled_for(&self) -> Option<Duration> {
        let since = self.queue.state().busy_since;
        since.map(|since| since.elapsed())
    }

    /// Bytes that may still be written to the spool's file system. Asks the disk, so it may block.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn free_bytes(&self) -> Result<u64, Fault> {
        let (disk, root) = (&self.ledger.disk, &self.ledger.root);
        disk.free_bytes(root)
            .map_err(Fault::of(Operation::Read, root))
    }

    /// What happened since the last call, oldest first.
    #[must_use]
    pub fn take_reports(&self) -> Vec<Report> {
        self.ledger.state().take_reports()
    }

    /// Takes no more records, writes what waits, and waits for that at most `limit`; says whether
    /// all is written. A [`Drain`] may go on. Draining what is left removes the process directory;
    /// otherwise the next process adopts it.
    pub fn close(&self, limit: Duration) -> bool {
        self.queue.close();
        self.queue.wait_finished(limit)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Status {
    pub(crate) fn of(ledger: &Ledger, queue: Option<&Queue>) -> Self {
        let (mut queued_records, mut queued_bytes) = (0, 0);
        let (mut refusal, mut busy_since) = (None, None);
        if let Some(queue) = queue {
            let state = queue.state();
            (queued_records, queued_bytes) = state.load();
            refusal.clone_from(&state.refusal);
            busy_since = state.busy_since;
        }
        let state = ledger.state();
        let segments = || state.segments.values();
        let waiting = || segments().filter(|segment| !segment.is_drained());
        let uncounted =
            waiting().filter(|segment| segment.records.is_none() && !segment.read_whole);
        Self {
            ready: refusal.map_or(Ok(()), Err),
            records: waiting().map(Segment::waiting).sum(),
            bytes: waiting().map(|segment| segment.limit).sum(),
            uncounted_bytes: uncounted
                .map(|segment| segment.limit.saturating_sub(segment.read_bytes))
                .sum(),
            oldest_at_micros: waiting()
                .filter(|segment| segment.waiting() > 0 || segment.records.is_none())
                .filter_map(|segment| segment.oldest_at)
                .min(),
            segments: segments().count() as u64,
            used_bytes: ledger.used(),
            foreign_bytes: ledger.foreign(),
            max_bytes: ledger.options.max_bytes,
            queued_records,
            queued_bytes,
            stalled_for: busy_since.map(|since| since.elapsed()),
            stranded: state.stranded.clone(),
            counts: state.counts,
        }
    }
}
