//! A group of records: what of it is still wanted and has room, and its way to the disk.

use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use super::Committer;
use crate::error::{Fault, Operation, SubmitError};
use crate::format;
use crate::queue::{Batch, Waiting};

impl Committer {
    /// Writes the batch, as many groups as segments it needs.
    pub(super) fn write(&mut self, batch: &mut Batch) -> Result<(), Fault> {
        while !batch.waiting.is_empty() {
            let Some(length) = self.ledger.state().begin_write() else {
                // Retired by the drain a moment ago.
                self.file = None;
                self.make_segment()?;
                continue;
            };
            let room = self.ledger.options.segment_max_bytes.saturating_sub(length);
            let fitting = batch
                .waiting
                .iter()
                .take_while(|waiting| waiting.end as u64 <= room)
                .count();
            if fitting == 0 {
                self.ledger.state().close_active();
                self.file = None;
                self.make_segment()?;
                continue;
            }
            self.write_group(batch, fitting, length)?;
        }
        Ok(())
    }

    /// Writes and syncs the first `count` records of the batch, and completes them.
    pub(super) fn write_group(
        &mut self,
        batch: &mut Batch,
        count: usize,
        length: u64,
    ) -> Result<(), Fault> {
        let seed = self.seed();
        let mut start = 0;
        for waiting in &batch.waiting[..count] {
            let frame = start..waiting.end;
            let offset = length + start as u64;
            format::seal_frame(&mut batch.bytes, frame, seed, offset, waiting.at_micros);
            start = waiting.end;
        }
        self.append_and_sync(&batch.bytes[..start])?;
        let group: Vec<Waiting> = batch.waiting.drain(..count).collect();
        batch.bytes.drain(..start);
        for waiting in &mut batch.waiting {
            waiting.end -= start;
        }
        let first_at = group.first().map_or(0, |first| first.at_micros);
        self.ledger.add_used(start as u64);
        self.ledger
            .state()
            .committed(start as u64, count as u64, first_at);
        for waiting in group {
            complete(waiting, Ok(()));
        }
        Ok(())
    }

    pub(super) fn append_and_sync(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let path = self.active_path();
        let Some(file) = &mut self.file else {
            let error = io::Error::from(ErrorKind::NotFound);
            return Err(Fault::new(Operation::Write, &path, &error));
        };
        file.append(bytes)
            .map_err(Fault::of(Operation::Write, &path))?;
        file.sync().map_err(Fault::of(Operation::Sync, &path))
    }
    pub(super) fn leave_out_unwanted(&mut self, batch: &mut Batch) {
        if batch
            .waiting
            .iter()
            .all(|waiting| waiting.completion.is_wanted())
        {
            return;
        }
        let (mut start, mut kept) = (0, 0);
        let before = batch.waiting.len();
        let bytes = &mut batch.bytes;
        batch.waiting.retain_mut(|waiting| {
            let frame = start..waiting.end;
            start = waiting.end;
            let wanted = waiting.completion.is_wanted();
            if wanted {
                let length = frame.len();
                bytes.copy_within(frame, kept);
                kept += length;
                waiting.end = kept;
            }
            wanted
        });
        bytes.truncate(kept);
        let unwanted = before - batch.waiting.len();
        self.ledger.state().counts.unwanted_records += unwanted as u64;
    }

    /// Others may have filled the spool since these records were taken in.
    pub(super) fn refuse_what_does_not_fit(&mut self, batch: &mut Batch) {
        let (used, limit) = (self.ledger.used(), self.ledger.options.max_bytes);
        let room = limit.saturating_sub(used);
        let fitting = batch
            .waiting
            .iter()
            .take_while(|waiting| waiting.end as u64 <= room)
            .count();
        if fitting == batch.waiting.len() {
            return;
        }
        let refused: Vec<Waiting> = batch.waiting.drain(fitting..).collect();
        let end = batch.waiting.last().map_or(0, |last| last.end);
        batch.bytes.truncate(end);
        self.ledger.state().counts.failed_records += refused.len() as u64;
        self.queue.state().recount = true;
        for waiting in refused {
            complete(waiting, Err(SubmitError::Full { used, limit }));
        }
    }

    fn seed(&self) -> u64 {
        let state = self.ledger.state();
        state.active_segment().map_or(0, |segment| segment.name.id)
    }

    fn active_path(&self) -> PathBuf {
        let state = self.ledger.state();
        state
            .active_segment()
            .map_or_else(|| self.ledger.root.clone(), |segment| segment.path.clone())
    }
}

pub(super) fn complete(waiting: Waiting, outcome: Result<(), SubmitError>) {
    let completion = waiting.completion;
    // One faulty listener must not take the spool from all others. The panic hook has spoken.
    drop(catch_unwind(AssertUnwindSafe(move || {
        completion.complete(outcome);
    })));
}
