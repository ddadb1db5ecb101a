//! The spool as ingest uses it: opened beside the requests, drained beside them, watched.
//!
//! Nothing here delays the start or an answer: the spool is opened by the thread that will drain it,
//! again and again if the disk does not let it, and until then records are refused. A disk that is
//! only full lets it: then what dead processes left is drained, and records are refused.

mod drain;
mod figures;
mod rest;
mod watch;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use postback_common::config::{
    IngestSettings, SEGMENT_HEAD_BYTES, SpoolSettings, record_bytes_max,
};
use postback_spool::disk::Disk;
use postback_spool::{Completion, OpenError, Options, Spool, Status, SubmitError};
use tokio::sync::oneshot;

use crate::confirmation::{Confirmation, Unconfirmed};

pub use drain::{Drainer, Left};
pub use figures::SpoolFigures;
pub use watch::{STRANDED_REMEDY, SpoolProbes, watch};

const MIB: u64 = 1024 * 1024;

/// Takes records for the disk.
#[derive(Debug)]
pub struct Spooler {
    settings: SpoolSettings,
    options: Options,
    disk: Arc<dyn Disk>,
    spool: OnceLock<Spool>,
    /// Why it could not be opened, the last time.
    trouble: Mutex<Option<OpenError>>,
}

/// Why a record did not go to the spool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSpooled {
    /// The spool is not open yet, or its directory cannot be used.
    #[error("the spool is not open")]
    NotOpen,
    /// The spool said no.
    #[error(transparent)]
    Refused(#[from] SubmitError),
}

impl NotSpooled {
    /// The machine-readable tag.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotOpen => "spool_not_open",
            Self::Refused(error) => error.reason(),
        }
    }
}

/// A record that was submitted. Resolves once it is durable, or is not.
#[derive(Debug)]
pub struct Spooled {
    confirmation: Confirmation,
    withdrawn: Arc<AtomicBool>,
}

impl Spooler {
    /// For records as long as `ingest` lets them be. Nothing is opened yet.
    #[must_use]
    pub fn new(settings: &SpoolSettings, ingest: &IngestSettings, disk: Arc<dyn Disk>) -> Self {
        Self {
            settings: settings.clone(),
            options: options(settings, ingest),
            disk,
            spool: OnceLock::new(),
            trouble: Mutex::default(),
        }
    }

    /// Opens the spool, unless it is open. Blocks for a few writes and syncs. One thread calls it.
    ///
    /// # Errors
    /// [`OpenError`]; it is also what [`Spooler::trouble`] says from then on.
    pub fn open(&self) -> Result<&Spool, OpenError> {
        if let Some(spool) = self.spool.get() {
            return Ok(spool);
        }
        let opened = Spool::open(
            Arc::clone(&self.disk),
            &self.settings.dir,
            self.options.clone(),
        );
        match opened {
            Ok(spool) => Ok(self.spool.get_or_init(|| spool)),
            Err(error) => {
                *self.locked_trouble() = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Why it could not be opened, the last time; `None` once it is open, or before the first try.
    #[must_use]
    pub fn trouble(&self) -> Option<OpenError> {
        match self.spool.get() {
            Some(_) => None,
            None => self.locked_trouble().clone(),
        }
    }

    /// The open spool.
    #[must_use]
    pub fn spool(&self) -> Option<&Spool> {
        self.spool.get()
    }

    /// Its state; `None` while it is not open. Never waits for the disk.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.spool.get().map(Spool::status)
    }

    /// Where it is, and how large it may become.
    #[must_use]
    pub fn settings(&self) -> &SpoolSettings {
        &self.settings
    }

    /// Room below which the spool counts as full: a record of the longest kind may not fit any more.
    /// In a small spool that is less than a record, so that it is not full from the start.
    #[must_use]
    pub fn record_room(&self) -> u64 {
        self.options
            .record_max_bytes
            .min(self.settings.max_bytes / 16)
    }

    /// Takes a copy of `record`, received `at_micros` after 1970, without waiting.
    ///
    /// # Errors
    /// [`NotSpooled`], at once.
    pub fn submit(&self, record: &[u8], at_micros: u64) -> Result<Spooled, NotSpooled> {
        let spool = self.spool.get().ok_or(NotSpooled::NotOpen)?;
        let (told, confirmation) = Confirmation::pair();
        let withdrawn = Arc::new(AtomicBool::new(false));
        let waiting = Waiting {
            told,
            withdrawn: Arc::clone(&withdrawn),
        };
        spool.submit(record, at_micros, waiting)?;
        Ok(Spooled {
            confirmation,
            withdrawn,
        })
    }

    /// Whether a write has been under way for `time`.
    #[must_use]
    pub fn has_stalled(&self, time: Duration) -> bool {
        let stalled_for = self.spool.get().and_then(Spool::stalled_for);
        stalled_for.is_some_and(|stalled| stalled >= time)
    }

    /// Bytes in its directory that dead processes left and nobody has taken over. Blocks.
    ///
    /// # Errors
    /// [`OpenError`] when nobody can tell.
    pub fn orphaned_bytes(&self) -> Result<u64, OpenError> {
        postback_spool::orphaned_bytes(&*self.disk, &self.settings.dir)
    }

    /// Takes no more records and writes what waits, for at most `limit`. Blocks.
    pub fn close(&self, limit: Duration) {
        if let Some(spool) = self.spool.get() {
            spool.close(limit);
        }
    }

    fn locked_trouble(&self) -> std::sync::MutexGuard<'_, Option<OpenError>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spooled {
    /// Kafka has the record: if it still waits for the disk, it need not be written. One that nobody
    /// waits for any more is not withdrawn: its sender was told 503 and will not come again.
    pub fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::Relaxed);
    }
}

impl Future for Spooled {
    type Output = Result<(), Unconfirmed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.confirmation).poll(context)
    }
}

/// What travels with a record through the spool's queue.
struct Waiting {
    told: oneshot::Sender<Result<(), Unconfirmed>>,
    withdrawn: Arc<AtomicBool>,
}

impl Completion for Waiting {
    fn is_wanted(&self) -> bool {
        !self.withdrawn.load(Ordering::Relaxed)
    }

    fn complete(self: Box<Self>, outcome: Result<(), SubmitError>) {
        let outcome = outcome.map_err(|error| Unconfirmed::Failed(error.reason().to_owned()));
        // Nobody listens any more: Kafka was first, or the deadline.
        drop(self.told.send(outcome));
    }
}

/// Segments of 64 MiB, smaller in a small spool, so that draining gives space back in portions.
fn options(settings: &SpoolSettings, ingest: &IngestSettings) -> Options {
    let record = record_bytes_max(ingest) as u64;
    let segment = (settings.max_bytes / 16).min(64 * MIB);
    Options {
        max_bytes: settings.max_bytes,
        segment_max_bytes: segment
            .max(record + SEGMENT_HEAD_BYTES)
            .min(settings.max_bytes),
        record_max_bytes: record,
        ..Options::default()
    }
}
