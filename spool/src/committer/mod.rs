//! Group commit: one write and one sync for all that wait.

mod group;
mod segment;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;

use crate::directory;
use crate::disk::AppendFile;
use crate::error::{Fault, SubmitError};
use crate::ledger::Ledger;
use crate::queue::{Batch, Queue};
use crate::report::Report;
use crate::usage;
use group::complete;

/// The answer about a directory that is another user's.
const DENIED: ErrorKind = ErrorKind::PermissionDenied;

/// What a step of the committer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing waited.
    Idle,
    /// All that waited was written, or nobody wanted it any more.
    Committed,
    /// Something failed; who waited has heard it.
    Failed,
    /// The spool is closed and everything is written: there will be no further step.
    Closed,
}

/// Writes what is submitted. There is one for each spool.
#[derive(Debug)]
pub struct Committer {
    ledger: Arc<Ledger>,
    queue: Arc<Queue>,
    /// The active segment; the ledger may have retired it.
    file: Option<Box<dyn AppendFile>>,
    number: u64,
    counted: Instant,
    spare: Batch,
}

impl Committer {
    pub(crate) fn open(ledger: Arc<Ledger>, queue: Arc<Queue>) -> Result<Self, Fault> {
        directory::make_root(&*ledger.disk, &ledger.root)?;
        let mut committer = Self {
            ledger,
            queue,
            file: None,
            number: 0,
            counted: Instant::now(),
            spare: Batch::default(),
        };
        committer.recount();
        if let Err(fault) = committer.make_segment() {
            committer.begin_unready(fault)?;
        }
        Ok(committer)
    }

    /// Opens all the same where the directory can be searched: what dead processes left is drained
    /// from a full disk too, and makes room on it. Records are refused until a segment is verified.
    fn begin_unready(&mut self, fault: Fault) -> Result<(), Fault> {
        if directory::list(&*self.ledger.disk, &self.ledger.root).is_err() {
            return Err(fault);
        }
        self.fail(&mut Batch::default(), &fault);
        Ok(())
    }

    /// Works until the spool is closed.
    pub fn run(mut self) {
        loop {
            if self.step() == Step::Closed {
                return;
            }
            let limit = {
                let state = self.queue.state();
                let options = &self.ledger.options;
                let retry = state.refusal.is_some().then_some(options.retry_every);
                retry.or(state.recount.then_some(options.recount_every))
            };
            self.queue.wait(limit);
        }
    }

    /// Does what there is to do now: makes a segment if there is none, writes, syncs and completes
    /// all that waits. Blocks for as long as the disk takes.
    pub fn step(&mut self) -> Step {
        let (mut batch, closing) = self.queue.take(std::mem::take(&mut self.spare));
        self.queue.state().busy_since = Some(Instant::now());
        self.recount_if_due();
        let step = self.work(&mut batch, closing);
        self.spare = batch;
        self.queue.state().busy_since = None;
        self.queue.landed();
        if step == Step::Closed {
            self.queue.finish();
        }
        step
    }

    fn work(&mut self, batch: &mut Batch, closing: bool) -> Step {
        self.leave_out_unwanted(batch);
        self.refuse_what_does_not_fit(batch);
        let idle = batch.waiting.is_empty();
        if idle && closing {
            self.finish();
            return Step::Closed;
        }
        let failed = match self.ready() {
            Ok(()) => self.write(batch).err().map(|fault| {
                self.fail(batch, &fault);
                // At once, so that a single failure costs one group only.
                if self.ready().is_err() {
                    self.file = None;
                }
            }),
            Err(fault) => {
                self.fail(batch, &fault);
                Some(())
            }
        };
        if closing {
            self.finish();
            return Step::Closed;
        }
        match failed {
            Some(()) => Step::Failed,
            None if idle => Step::Idle,
            None => Step::Committed,
        }
    }

    /// Sees to it that there is a verified segment to write to.
    fn ready(&mut self) -> Result<(), Fault> {
        if !self.ledger.state().has_active() {
            self.file = None;
            self.make_segment()?;
        }
        let refused = self.queue.state().refusal.take();
        if refused.is_some() {
            let mut state = self.ledger.state();
            let segment = state.segments.values().next_back();
            if let Some(segment) = segment.map(|segment| segment.path.clone()) {
                state.report(Report::Recovered { segment });
            }
        }
        Ok(())
    }

    /// The file is never trusted again; all that waits hears of it; nothing is taken until a new
    /// segment is verified.
    fn fail(&mut self, batch: &mut Batch, fault: &Fault) {
        {
            let mut state = self.ledger.state();
            state.close_active();
            state.counts.write_failures += 1;
        }
        self.file = None;
        let refusal = SubmitError::refusing(fault.clone());
        let before = self.queue.state().refusal.replace(refusal);
        if before.is_none_or(|before| !before.is_like(fault)) {
            self.ledger.report(Report::WriteFailed(fault.clone()));
        }
        let mut failed = std::mem::take(&mut batch.waiting);
        let (mut queued, _) = self.queue.take(Batch::default());
        failed.append(&mut queued.waiting);
        self.ledger.state().counts.failed_records += failed.len() as u64;
        for waiting in failed {
            complete(waiting, Err(SubmitError::Failed(fault.clone())));
        }
        // What the failed group left in the file has to be counted too.
        self.recount();
    }

    fn recount_if_due(&mut self) {
        let wanted = self.queue.state().recount;
        let age = self.counted.elapsed();
        let every = self.ledger.options.recount_every;
        if age >= every {
            self.recount();
            if wanted {
                self.queue.state().recount = false;
            }
        }
    }

    fn recount(&mut self) {
        self.counted = Instant::now();
        let counted = usage::count(&*self.ledger.disk, &self.ledger.root);
        let fault = match counted {
            // What this user may never look into must not end the count of all the rest.
            Ok(usage)
                if usage
                    .fault
                    .as_ref()
                    .is_none_or(|fault| fault.kind == DENIED) =>
            {
                self.ledger.set_used(&usage);
                usage.fault
            }
            Ok(usage) => usage.fault,
            Err(fault) => Some(fault),
        };
        // Otherwise the last count holds, own writes added.
        if let Some(fault) = fault {
            self.ledger.report(Report::CountFailed(fault));
        }
    }
}
