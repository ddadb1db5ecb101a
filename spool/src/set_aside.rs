//! `set-aside/`: what cannot be drained, kept for a person.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::directory::{self, ATTEMPTS, SEGMENT, SET_ASIDE};
use crate::disk::{AppendFile, Disk, LockGuard, ReadFile};
use crate::drain::Entry;
use crate::error::{Fault, Operation, SetAsideError};
use crate::format::{self, FRAME_BYTES, HEADER_BYTES, Kind, SegmentName};
use crate::ledger::Ledger;

/// The extension of damaged bytes.
const DAMAGED: &str = ".damaged";
/// The extension of segments with rejected records.
pub(crate) const REJECTED: &str = ".rejected";
/// A file that is still being written.
const UNFINISHED: &str = ".new";
/// How many bytes are copied at once.
const CHUNK: u64 = 256 * 1024;
/// A reason is cut to this many bytes.
const REASON_BYTES: usize = 1_024;

/// A record that Kafka refused for itself, and why.
#[derive(Clone, PartialEq, Eq)]
pub struct Rejected {
    /// In whose words soever, cut to 1,024 bytes.
    pub reason: String,
    /// The record as it was submitted.
    pub record: Vec<u8>,
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, rejected: {}", self.record.len(), self.reason)
    }
}

impl Rejected {
    fn encode(reason: &str, record: &[u8]) -> Vec<u8> {
        let mut end = reason.len().min(REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let length = u16::try_from(end).unwrap_or(0).to_le_bytes();
        [&length, &reason.as_bytes()[..end], record].concat()
    }

    /// From a frame of a `.rejected` segment: the reason's length in two bytes, the reason, the
    /// record.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk()?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (reason, record) = rest.split_at_checked(length)?;
        Some(Self {
            reason: String::from_utf8_lossy(reason).into_owned(),
            record: record.to_vec(),
        })
    }
}

/// The `.rejected` segment of this process, made with its first record.
#[derive(Debug, Default)]
pub(crate) struct SetAside {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    name: SegmentName,
    file: Box<dyn AppendFile>,
    length: u64,
    /// Tells whoever would put the records back that more may come. Stands behind the file, and so
    /// is let go of after it.
    _lock: Box<dyn LockGuard>,
}

impl SetAside {
    /// Appends a record and syncs it. A file that failed once is not used again.
    pub(crate) fn reject(
        &mut self,
        ledger: &Ledger,
        entry: &Entry,
        reason: &str,
    ) -> Result<PathBuf, SetAsideError> {
        let payload = Rejected::encode(reason, &entry.record);
        let mut frame = vec![0; FRAME_BYTES];
        frame.extend_from_slice(&payload);
        let room = ledger.options.segment_max_bytes;
        let fits = |open: &Open| open.length + frame.len() as u64 <= room;
        let mut open = match self.open.take().filter(fits) {
            Some(open) => open,
            None => make(ledger)?,
        };
        let end = frame.len();
        format::seal_frame(
            &mut frame,
            0..end,
            open.name.id,
            open.length,
            entry.at_micros,
        );
        let path = open.path.clone();
        open.file
            .append(&frame)
            .map_err(Fault::of(Operation::Write, &path))?;
        open.file
            .sync()
            .map_err(Fault::of(Operation::Sync, &path))?;
        open.length += end as u64;
        ledger.add_used(end as u64);
        self.open = Some(open);
        Ok(path)
    }

    /// Writes the damaged ranges of a segment, each under a line that says which bytes they are.
    /// Repeating it after a crash replaces the file.
    pub(crate) fn keep_damage(
        &mut self,
        ledger: &Ledger,
        segment: &Path,
        held: Option<Arc<dyn ReadFile>>,
        ranges: &[Range<u64>],
    ) -> Result<(), Fault> {
        let place = place(ledger)?;
        let path = place.join(format!("{}{DAMAGED}", flat_name(segment)));
        let unfinished = place.join(format!("{}{DAMAGED}{UNFINISHED}", flat_name(segment)));
        let disk = &*ledger.disk;
        directory::gone(disk.unlink(&unfinished))
            .map_err(Fault::of(Operation::Remove, &unfinished))?;
        let source = match held {
            Some(file) => file,
            None => Arc::from(
                disk.open(segment)
                    .map_err(Fault::of(Operation::Read, segment))?,
            ),
        };
        let mut file = disk
            .create(&unfinished)
            .map_err(Fault::of(Operation::Create, &unfinished))?;
        let copied = copy(&*source, &mut *file, ranges);
        let copied = copied.map_err(Fault::of(Operation::Write, &unfinished))?;
        file.sync()
            .map_err(Fault::of(Operation::Sync, &unfinished))?;
        disk.rename(&unfinished, &path)
            .map_err(Fault::of(Operation::Rename, &unfinished))?;
        disk.sync_dir(&place)
            .map_err(Fault::of(Operation::SyncDirectory, &place))?;
        ledger.add_used(copied);
        Ok(())
    }
}

fn make(ledger: &Ledger) -> Result<Open, Fault> {
    let place = place(ledger)?;
    let mut attempt = 1;
    loop {
        match make_named(&*ledger.disk, &place) {
            Ok(open) => {
                ledger.add_used(open.length);
                return Ok(open);
            }
            // Whoever puts back took the new file for one of a dead process.
            Err(fault) if directory::is_race(fault.kind) && attempt < ATTEMPTS => attempt += 1,
            Err(fault) => return Err(fault),
        }
    }
}

fn make_named(disk: &dyn Disk, place: &Path) -> Result<Open, Fault> {
    let id = directory::random(disk, place)?;
    let name = SegmentName { number: 1, id };
    let path = place.join(format!("{name}{REJECTED}"));
    let file = disk
        .create(&path)
        .map_err(Fault::of(Operation::Create, &path))?;
    let begun = begin(disk, place, path.clone(), name, file);
    if begun.is_err() {
        // Best effort: no record is in it.
        drop(disk.unlink(&path));
    }
    begun
}

/// Locks the new file before anything is in it, and makes it durable.
fn begin(
    disk: &dyn Disk,
    place: &Path,
    path: PathBuf,
    name: SegmentName,
    mut file: Box<dyn AppendFile>,
) -> Result<Open, Fault> {
    let lock = disk
        .lock(&path, false)
        .map_err(Fault::of(Operation::Lock, &path))?;
    file.append(&format::encode_header(name, Kind::Rejected))
        .map_err(Fault::of(Operation::Write, &path))?;
    file.sync().map_err(Fault::of(Operation::Sync, &path))?;
    disk.sync_dir(place)
        .map_err(Fault::of(Operation::SyncDirectory, place))?;
    Ok(Open {
        path,
        name,
        file,
        length: HEADER_BYTES as u64,
        _lock: lock,
    })
}

/// The directory, made when it is first needed.
fn place(ledger: &Ledger) -> Result<PathBuf, Fault> {
    let path = ledger.root.join(SET_ASIDE);
    match ledger.disk.create_dir(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => other.map_err(Fault::of(Operation::Create, &path))?,
    }
    // Also when it is there already: whoever made it may have died before this.
    ledger
        .disk
        .sync_dir(&ledger.root)
        .map_err(Fault::of(Operation::SyncDirectory, &ledger.root))?;
    Ok(path)
}

/// `p-…-NUMBER-ID` for a segment in its process directory.
fn flat_name(segment: &Path) -> String {
    let part = |path: Option<&Path>| {
        let name = path
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        name.unwrap_or("unnamed").to_owned()
    };
    let name = part(Some(segment));
    let name = name.strip_suffix(SEGMENT).unwrap_or(&name);
    format!("{}-{name}", part(segment.parent()))
}

/// Says how many bytes it wrote.
fn copy(from: &dyn ReadFile, to: &mut dyn AppendFile, ranges: &[Range<u64>]) -> io::Result<u64> {
    let mut copied = 0;
    let mut buffer = Vec::new();
    for range in ranges {
        buffer.clear();
        writeln!(buffer, "# bytes {}..{}", range.start, range.end)?;
        to.append(&buffer)?;
        copied += buffer.len() as u64;
        let mut at = range.start;
        while at < range.end {
            let size = (range.end - at).min(CHUNK);
            buffer.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
            let read = from.read_at(at, &mut buffer)?;
            if read == 0 {
                break;
            }
            to.append(&buffer[..read])?;
            copied += read as u64;
            at += read as u64;
        }
        to.append(b"\n")?;
        copied += 1;
    }
    Ok(copied)
}
