//! Writes a ledger while the network runs, on a thread of its own: a slow disk is no slow network.

use std::io::{self, BufWriter, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::ledger::line::{self, Line};

/// Lines that may wait for the disk.
const WAITING: usize = 50_000;

/// What is written in one piece.
const BUFFER_BYTES: usize = 256 * 1024;

/// Without a new line for so long, what is buffered is written.
const QUIET: Duration = Duration::from_millis(500);

/// A ledger that is being written.
#[derive(Debug)]
pub struct Book {
    lines: SyncSender<Line>,
    writer: JoinHandle<io::Result<()>>,
}

/// The ledger cannot be written any more; [`Book::close`] says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger cannot be written any more")]
pub struct Closed;

impl Book {
    /// Begins a ledger.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn open(target: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        let writer = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || write_all(&waiting, BufWriter::with_capacity(BUFFER_BYTES, target)))?;
        Ok(Book { lines, writer })
    }

    /// Adds a line. Blocks while too many wait for the disk.
    ///
    /// # Errors
    /// When an earlier one could not be written.
    pub fn write(&self, line: Line) -> Result<(), Closed> {
        self.lines.send(line).map_err(|_| Closed)
    }

    /// Writes what still waits.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn close(self) -> io::Result<()> {
        drop(self.lines);
        let broke_off = |_| io::Error::other("the ledger's thread broke off");
        self.writer.join().map_err(broke_off)?
    }
}

fn write_all(lines: &Receiver<Line>, mut target: impl Write) -> io::Result<()> {
    loop {
        match lines.recv_timeout(QUIET) {
            Ok(line) => line::write(&mut target, &line)?,
            Err(RecvTimeoutError::Timeout) => target.flush()?,
            Err(RecvTimeoutError::Disconnected) => return target.flush(),
        }
    }
}
