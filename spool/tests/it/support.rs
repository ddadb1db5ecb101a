//! A spool whose committer moves only when a test says so.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use postback_spool::disk::ForgetfulDisk;
use postback_spool::{Committer, Drain, Entry, Options, Spool, Step, SubmitError};

pub(crate) const ROOT: &str = "/spool";

pub(crate) fn root() -> &'static Path {
    Path::new(ROOT)
}

/// Small bounds, no waiting.
pub(crate) fn options() -> Options {
    Options {
        max_bytes: 1024 * 1024,
        segment_max_bytes: 4_096,
        record_max_bytes: 2_048,
        queue_max_bytes: 64 * 1024,
        queue_max_records: 1_000,
        recount_every: Duration::ZERO,
        retry_every: Duration::ZERO,
        retire_bytes: 0,
        retire_after: Duration::ZERO,
    }
}

/// What became of a submission.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome(Arc<Mutex<Option<Result<(), SubmitError>>>>);

impl Outcome {
    pub(crate) fn get(&self) -> Option<Result<(), SubmitError>> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn listener(&self) -> impl FnOnce(Result<(), SubmitError>) + Send + use<> {
        let outcome = self.clone();
        move |result| *outcome.0.lock().unwrap() = Some(result)
    }
}

pub(crate) struct Bench {
    pub(crate) disk: ForgetfulDisk,
    pub(crate) spool: Spool,
    pub(crate) committer: Committer,
    pub(crate) drain: Drain,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::on(ForgetfulDisk::new(1), options())
    }

    pub(crate) fn on(disk: ForgetfulDisk, options: Options) -> Self {
        let shared = Arc::new(disk.clone());
        let (spool, committer) = Spool::with_committer(shared, root(), options).unwrap();
        let drain = spool.drain();
        Self {
            disk,
            spool,
            committer,
            drain,
        }
    }

    /// Submits without a step of the committer.
    pub(crate) fn offer(&self, record: &[u8], at: u64) -> Outcome {
        let outcome = Outcome::default();
        self.spool.submit(record, at, outcome.listener()).unwrap();
        outcome
    }

    /// Submits each record in a group of its own, and expects success.
    pub(crate) fn put(&mut self, records: &[&[u8]]) {
        for (at, record) in records.iter().enumerate() {
            self.put_at(record, at as u64 + 1);
        }
    }

    /// Submits a record of that time in a group of its own, and expects success.
    pub(crate) fn put_at(&mut self, record: &[u8], at: u64) {
        let outcome = self.offer(record, at);
        assert_eq!(self.committer.step(), Step::Committed);
        assert_eq!(outcome.get(), Some(Ok(())));
    }

    /// The only segment.
    pub(crate) fn segment(&self) -> PathBuf {
        let segments = segments(&self.disk);
        assert_eq!(segments.len(), 1, "{segments:?}");
        segments.into_iter().next().unwrap()
    }

    /// The machine loses power; a new process opens the spool and adopts.
    pub(crate) fn crash(self) -> Self {
        self.disk.crash();
        self.reopen()
    }

    /// The process is killed; a new one opens the spool and adopts.
    pub(crate) fn kill(self) -> Self {
        self.disk.kill();
        self.reopen()
    }

    fn reopen(self) -> Self {
        let Self { disk, .. } = self;
        let mut bench = Self::on(disk, options());
        bench.drain.adopt().unwrap();
        bench
    }
}

/// Paths of all segments.
pub(crate) fn segments(disk: &ForgetfulDisk) -> Vec<PathBuf> {
    let mut files = disk.files();
    files.retain(|path| path.extension().is_some_and(|e| e == "segment"));
    files
}

/// Everything that can be read now.
pub(crate) fn read_all(drain: &mut Drain) -> Vec<Entry> {
    std::iter::from_fn(|| drain.next()).collect()
}

pub(crate) fn records(entries: &[Entry]) -> Vec<String> {
    let text = |entry: &Entry| String::from_utf8(entry.record.clone()).unwrap();
    entries.iter().map(text).collect()
}

/// Machine-readable reasons of all reports so far.
pub(crate) fn reasons(drain: &Drain) -> Vec<&'static str> {
    let reports = drain.take_reports();
    reports.iter().map(postback_spool::Report::reason).collect()
}

/// Waits until something holds.
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < limit, "it never came");
        thread::yield_now();
    }
}
