//! Records that wait for the disk, bounded.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::SubmitError;
use crate::format::FRAME_BYTES;
use crate::options::Options;
use crate::spool::Completion;

/// A buffer that grew beyond this in a burst is given back.
const KEPT_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    /// For the committer: there is work.
    work: Condvar,
    /// For whoever closes: the committer has finished.
    finished: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct QueueState {
    batch: Batch,
    in_flight_bytes: u64,
    in_flight_records: u64,
    /// Since when the disk is busy.
    pub(crate) busy_since: Option<Instant>,
    /// While the disk does not work.
    pub(crate) refusal: Option<SubmitError>,
    /// Somebody was refused for lack of room: look whether others made some.
    pub(crate) recount: bool,
    nudged: bool,
    closing: bool,
    finished: bool,
}

/// Records for one group: frames without heads, one behind the other.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) waiting: Vec<Waiting>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The bytes are records, which do not belong in a log.
        write!(
            f,
            "{} records in {} bytes",
            self.waiting.len(),
            self.bytes.len()
        )
    }
}

/// One of them.
pub(crate) struct Waiting {
    /// Where its frame ends in the batch.
    pub(crate) end: usize,
    pub(crate) at_micros: u64,
    pub(crate) completion: Box<dyn Completion>,
}

impl Queue {
    pub(crate) fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record in, if there is room for it beside `used` bytes on disk.
    pub(crate) fn push(
        &self,
        record: &[u8],
        at_micros: u64,
        completion: Box<dyn Completion>,
        used: u64,
        options: &Options,
    ) -> Result<(), SubmitError> {
        let mut state = self.state();
        state.admit(record.len() as u64, used, options)?;
        let batch = &mut state.batch;
        let head = batch.bytes.len() + FRAME_BYTES;
        batch.bytes.resize(head, 0);
        batch.bytes.extend_from_slice(record);
        batch.waiting.push(Waiting {
            end: batch.bytes.len(),
            at_micros,
            completion,
        });
        // The committer empties the queue whenever it looks, so it sleeps only on an empty one.
        let first = batch.waiting.len() == 1;
        drop(state);
        if first {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Takes all that waits; `emptied` is a used batch whose memory serves again. Also says
    /// whether the spool is closing.
    pub(crate) fn take(&self, mut emptied: Batch) -> (Batch, bool) {
        emptied.waiting.clear();
        emptied.bytes.clear();
        if emptied.bytes.capacity() > KEPT_BYTES {
            emptied.bytes = Vec::new();
        }
        let mut state = self.state();
        state.nudged = false;
        let batch = std::mem::replace(&mut state.batch, emptied);
        state.in_flight_bytes = batch.bytes.len() as u64;
        state.in_flight_records = batch.waiting.len() as u64;
        (batch, state.closing)
    }

    /// The group that was taken is done with.
    pub(crate) fn landed(&self) {
        let mut state = self.state();
        state.in_flight_bytes = 0;
        state.in_flight_records = 0;
    }

    /// Waits until there is something to do, at most for `limit`.
    pub(crate) fn wait(&self, limit: Option<Duration>) {
        let idle = |state: &mut QueueState| {
            state.batch.waiting.is_empty() && !state.closing && !state.nudged
        };
        let state = self.state();
        match limit {
            None => drop(self.work.wait_while(state, idle)),
            Some(limit) => drop(self.work.wait_timeout_while(state, limit, idle)),
        }
    }

    /// Lets the committer look around.
    pub(crate) fn nudge(&self) {
        self.state().nudged = true;
        self.work.notify_one();
    }

    /// Lets the committer count again what is in the spool directory.
    pub(crate) fn recount(&self) {
        self.state().recount = true;
        self.nudge();
    }

    /// No more records from now on.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.work.notify_one();
    }

    /// The committer has written everything and will not write again.
    pub(crate) fn finish(&self) {
        self.state().finished = true;
        self.finished.notify_all();
    }

    /// Waits until the committer has finished, at most for `limit`; says whether it has.
    pub(crate) fn wait_finished(&self, limit: Duration) -> bool {
        let state = self.state();
        let waited = self
            .finished
            .wait_timeout_while(state, limit, |state| !state.finished);
        waited.unwrap_or_else(PoisonError::into_inner).0.finished
    }
}

impl QueueState {
    /// Records and bytes that wait, those being written included.
    pub(crate) fn load(&self) -> (u64, u64) {
        (
            self.batch.waiting.len() as u64 + self.in_flight_records,
            self.batch.bytes.len() as u64 + self.in_flight_bytes,
        )
    }

    fn admit(&mut self, record: u64, used: u64, options: &Options) -> Result<(), SubmitError> {
        if self.closing {
            return Err(SubmitError::Closed);
        }
        if record > options.record_max_bytes {
            return Err(SubmitError::TooLarge {
                bytes: record,
                limit: options.record_max_bytes,
            });
        }
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let framed = record + FRAME_BYTES as u64;
        let (records, bytes) = self.load();
        if used + bytes + framed > options.max_bytes {
            // The committer counts again, at its pace.
            self.recount = true;
            return Err(SubmitError::Full {
                used: used + bytes,
                limit: options.max_bytes,
            });
        }
        let waiting = self.batch.bytes.len() as u64;
        let no_room = waiting + framed > options.queue_max_bytes;
        if no_room || self.batch.waiting.len() >= options.queue_max_records {
            return Err(SubmitError::Busy { records, bytes });
        }
        Ok(())
    }
}
