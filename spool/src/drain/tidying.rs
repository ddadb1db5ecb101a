//! Lets go of what is drained.

use std::sync::Arc;
use std::time::Instant;

use super::Drain;
use crate::directory;
use crate::error::{Fault, Operation};
use crate::report::Report;
use crate::scan::Tail;

impl Drain {
    /// Lets go of drained segments and of directories without any, and has the segment that is
    /// being written retired if it is time.
    pub(super) fn tidy(&mut self) {
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
    pub(super) fn forget(&mut self, key: u64) {
        self.scanners.remove(&key);
        self.current = self.current.filter(|current| *current != key);
        let removed = self.ledger.state().segments.remove(&key);
        if let Some(segment) = removed {
            self.leave(segment.directory);
        }
    }

    /// Removes a directory without segments, unless it is where new ones go.
    pub(super) fn leave(&mut self, key: u64) {
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
    pub(super) fn park(&mut self, key: u64, report: Report) {
        let mut state = self.ledger.state();
        state.report(report);
        if let Some(segment) = state.segments.get_mut(&key) {
            segment.parked_until = Some(Instant::now() + self.ledger.options.retry_every);
        }
        self.current = self.current.filter(|current| *current != key);
    }
}
