//! Group commit: one write and one sync for all that wait.

use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::directory::{self, Directory, SEGMENT};
use crate::disk::{AppendFile, ReadFile};
use crate::error::{Fault, Operation, SubmitError};
use crate::format::{self, HEADER_BYTES, Kind, SegmentName};
use crate::ledger::Ledger;
use crate::queue::{Batch, Queue, Waiting};
use crate::report::Report;
use crate::usage;

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

/// A new segment, open for writing and for reading.
type Written = (Box<dyn AppendFile>, Arc<dyn ReadFile>);

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
        committer.make_segment()?;
        Ok(committer)
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

    /// Writes the batch, as many groups as segments it needs.
    fn write(&mut self, batch: &mut Batch) -> Result<(), Fault> {
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
    fn write_group(&mut self, batch: &mut Batch, count: usize, length: u64) -> Result<(), Fault> {
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

    fn append_and_sync(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let path = self.active_path();
        let Some(file) = &mut self.file else {
            let error = io::Error::from(ErrorKind::NotFound);
            return Err(Fault::new(Operation::Write, &path, &error));
        };
        file.append(bytes)
            .map_err(Fault::of(Operation::Write, &path))?;
        file.sync().map_err(Fault::of(Operation::Sync, &path))
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

    fn leave_out_unwanted(&mut self, batch: &mut Batch) {
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
    fn refuse_what_does_not_fit(&mut self, batch: &mut Batch) {
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

    /// A new segment: created, header synced, directory synced, read back.
    fn make_segment(&mut self) -> Result<(), Fault> {
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

    fn write_header(&self, home: &Path, path: &Path, name: SegmentName) -> Result<Written, Fault> {
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
    fn home(&mut self) -> Result<(u64, PathBuf), Fault> {
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
    fn finish(&mut self) {
        self.file = None;
        let disk = &*self.ledger.disk;
        let (empty, home) = {
            let mut state = self.ledger.state();
            state.close_active();
            let empty = |segment: &crate::ledger::Segment| {
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

    fn discard(&self, path: &Path) {
        let removed = directory::gone(self.ledger.disk.unlink(path));
        if let Err(fault) = removed.map_err(Fault::of(Operation::Remove, path)) {
            self.ledger.report(Report::TidyFailed(fault));
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
        // On an error the last count holds, own writes added.
        if let Ok(bytes) = usage::count(&*self.ledger.disk, &self.ledger.root) {
            self.ledger.set_used(bytes);
        }
    }
}

fn complete(waiting: Waiting, outcome: Result<(), SubmitError>) {
    let completion = waiting.completion;
    // One faulty listener must not take the spool from all others. The panic hook has spoken.
    drop(catch_unwind(AssertUnwindSafe(move || {
        completion.complete(outcome);
    })));
}
