//! Chooses a segment and reads it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;

use super::entry::{Entry, Position};
use super::{Drain, Unreleased};
use crate::disk::ReadFile;
use crate::error::{Fault, Operation};
use crate::format::{self, Kind};
use crate::ledger::Segment;
use crate::report::Report;
use crate::scan::{Next, Scanner, Start};

impl Drain {
    /// The segment to read next: the one with the oldest record that has something to read.
    pub(super) fn choose(&self, failed: &BTreeSet<u64>) -> Option<u64> {
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
    pub(super) fn read(&mut self, key: u64) -> Result<Option<Entry>, Fault> {
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
}
