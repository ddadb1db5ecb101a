//! Brings what is in the spool to Kafka: oldest first, and live traffic before it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use postback_service::lifecycle::Shutdown;
use postback_spool::{Drain, Entry};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::Spooler;
use super::rest::Rest;
use crate::breaker::Breaker;
use crate::confirmation::{Confirmation, Unconfirmed, Waiting};
use crate::kafka::{NotTaken, Producer};
use crate::metrics::IngestMetrics;
use crate::topic_watch::TopicMissing;

/// Most records under way to Kafka at once. What is under way when the process dies is drained
/// again, and a window of a few milliseconds is all that live records can get behind.
const WINDOW: usize = 512;

/// Between two looks for records while there are none, and for orphans.
const IDLE: Duration = Duration::from_millis(100);
const ADOPT_EVERY: Duration = Duration::from_secs(5);

/// After a failure: the first pause, doubled up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// At the end, how long the thread that drains gets to let go.
const LET_GO: Duration = Duration::from_millis(250);

/// Between two tries to open the spool.
const OPEN_EVERY: Duration = Duration::from_millis(500);

/// The thread that drains.
pub struct Drainer {
    ending: Shutdown,
    stop: Shutdown,
    rest: Arc<Rest>,
    /// Whether the last search for what dead processes left went well.
    searched: Arc<AtomicBool>,
    /// The thread's last word: bytes that nobody has taken over, if it could tell.
    ended: oneshot::Receiver<Option<u64>>,
    spooler: Arc<Spooler>,
}

/// What the spool still holds at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Records, as far as they are counted.
    pub records: u64,
    /// Bytes of segments that are not drained.
    pub bytes: u64,
    /// Directories of other processes that could not be taken over: nobody knows what is in them.
    pub stranded: usize,
    /// Nobody could look for what dead processes left: records may stay besides.
    pub unknown: bool,
}

impl Drainer {
    /// Opens the spool and drains it into `producer` until [`Drainer::finish`]. Must be called
    /// inside a tokio runtime.
    ///
    /// # Errors
    /// The operating system's, when it has no thread.
    pub fn start(
        spooler: Arc<Spooler>,
        producer: Arc<dyn Producer>,
        missing: TopicMissing,
        breaker: Arc<Breaker>,
        metrics: &IngestMetrics,
    ) -> std::io::Result<Self> {
        let (ending, stop) = (Shutdown::new(), Shutdown::new());
        let rest = Arc::new(Rest::default());
        let searched = Arc::new(AtomicBool::new(false));
        let (told, ended) = oneshot::channel();
        let work = Work {
            spooler: Arc::clone(&spooler),
            producer,
            missing,
            breaker,
            metrics: metrics.clone(),
            runtime: Handle::current(),
            ending: ending.clone(),
            stop: stop.clone(),
            rest: Arc::clone(&rest),
            searched: Arc::clone(&searched),
            pending: VecDeque::new(),
            window: 1,
            pause: PAUSE,
        };
        std::thread::Builder::new()
            .name("spool-drain".to_owned())
            .spawn(move || {
                // That nobody listens any more is no fault.
                told.send(work.run_and_look()).ok();
            })?;
        Ok(Self {
            ending,
            stop,
            rest,
            searched,
            ended,
            spooler,
        })
    }

    /// Waits until the spool is empty, or cannot be opened, for at most `limit`; says whether it is.
    /// Draining goes on: records may still come.
    pub async fn comes_to_rest(&self, limit: Duration) -> bool {
        self.rest.comes(limit).await
    }

    /// Goes on until the spool is empty, at most for `limit`. Says what is left.
    pub async fn finish(mut self, limit: Duration) -> Left {
        self.ending.cancel();
        let mut ended = timeout(limit, &mut self.ended).await;
        if ended.is_err() {
            self.stop.cancel();
            // A disk that hangs keeps the thread; the process ends all the same.
            ended = timeout(LET_GO, &mut self.ended).await;
        }
        let beside = match ended {
            Ok(Ok(bytes)) => bytes,
            // What was found, the status tells.
            _ => self.searched.load(Relaxed).then_some(0),
        };
        let taken = self.spooler.status().map_or_else(Left::default, |status| {
            let held = status.records > 0 || status.uncounted_bytes > 0;
            Left {
                records: status.records,
                bytes: if held { status.bytes } else { 0 },
                stranded: status.stranded.len(),
                unknown: false,
            }
        });
        Left {
            bytes: taken.bytes + beside.unwrap_or_default(),
            unknown: beside.is_none(),
            ..taken
        }
    }
}

struct Work {
    spooler: Arc<Spooler>,
    producer: Arc<dyn Producer>,
    missing: TopicMissing,
    breaker: Arc<Breaker>,
    metrics: IngestMetrics,
    runtime: Handle,
    /// No new records come: end when the spool is empty.
    ending: Shutdown,
    /// End now.
    stop: Shutdown,
    rest: Arc<Rest>,
    searched: Arc<AtomicBool>,
    /// Read, oldest first, and not released.
    pending: VecDeque<Pending>,
    /// How many may be under way; grows while they arrive, and is one while they do not.
    window: usize,
    pause: Duration,
}

struct Pending {
    entry: Entry,
    /// Safe elsewhere: in Kafka, or set aside.
    safe: bool,
}

impl Work {
    /// Works to the end; then says how many bytes dead processes left that it could not search for,
    /// `None` if that cannot be told.
    fn run_and_look(self) -> Option<u64> {
        let (spooler, searched) = (Arc::clone(&self.spooler), Arc::clone(&self.searched));
        self.run();
        if searched.load(Relaxed) {
            return Some(0);
        }
        let looked = spooler.orphaned_bytes().inspect_err(|error| {
            let remedy = error.remedy();
            warn!(
                reason = error.reason(),
                remedy, "the spool is unknown: {error}"
            );
        });
        looked.ok()
    }

    fn run(mut self) {
        let Some(mut drain) = self.open() else { return };
        let mut adopted: Option<Instant> = None;
        let mut drained = 0;
        while !self.stop.is_cancelled() {
            if adopted.is_none_or(|at| at.elapsed() >= ADOPT_EVERY) {
                self.searched.store(adopt(&mut drain), Relaxed);
                adopted = Some(Instant::now());
            }
            // Asked before the look: what was written before the end is seen by it.
            let (ending, asked) = (self.ending.is_cancelled(), self.rest.questions());
            self.read(&mut drain);
            self.rest.looked(self.pending.is_empty(), asked);
            if self.pending.is_empty() {
                if drained > 0 {
                    info!(records = drained, "the spool is drained");
                    drained = 0;
                }
                if ending {
                    return;
                }
                self.idle(IDLE);
            } else if self.missing.is_known() {
                self.sleep(IDLE);
            } else {
                drained += self.deliver(&mut drain);
            }
        }
    }

    fn open(&self) -> Option<Drain> {
        let mut told = false;
        loop {
            let asked = self.rest.questions();
            match self.spooler.open() {
                Ok(spool) => return Some(spool.drain()),
                Err(error) if !told => {
                    told = true;
                    let remedy = error.remedy();
                    error!(reason = error.reason(), remedy, "no spool: {error}");
                }
                Err(_) => {}
            }
            self.rest.looked(true, asked);
            if self.ending.is_cancelled() {
                return None;
            }
            self.idle(OPEN_EVERY);
        }
    }

    fn read(&mut self, drain: &mut Drain) {
        while self.pending.len() < self.window {
            let Some(entry) = drain.next() else { return };
            let safe = false;
            self.pending.push_back(Pending { entry, safe });
        }
    }

    /// Sends one window and waits for its confirmations; returns how many records were released.
    fn deliver(&mut self, drain: &mut Drain) -> usize {
        let begun = Instant::now();
        // A broker refuses a batch as a whole, so only of a record that was alone it is known whose
        // fault that is.
        let alone = self.window == 1;
        let outcomes = self.send();
        let mut all_safe = true;
        for (pending, outcome) in self.pending.iter_mut().zip(outcomes) {
            pending.safe = pending.safe || settle(drain, &pending.entry, outcome, alone);
            all_safe &= pending.safe;
        }
        let released = self.release(drain);
        if all_safe {
            self.window = (self.window * 2).min(WINDOW);
            self.pause = PAUSE;
            // At most half of Kafka's time while senders wait for theirs.
            if self.metrics.in_flight.get() > 0 {
                self.sleep(begun.elapsed());
            }
        } else {
            self.window = 1;
            self.sleep(self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        released
    }

    /// Outcomes of the first records that are pending, in their order.
    fn send(&self) -> Vec<Outcome> {
        let now = Instant::now();
        let offered: Vec<_> = self
            .pending
            .iter()
            .take(self.window)
            .map(|pending| (!pending.safe).then(|| self.offer(&pending.entry, now)))
            .collect();
        let heard = async {
            let mut outcomes = Vec::with_capacity(offered.len());
            for offered in offered {
                outcomes.push(match offered {
                    None => Ok(()),
                    Some(Err(not_taken)) => Err(not_taken),
                    Some(Ok(confirmation)) => confirmation.await,
                });
            }
            outcomes
        };
        self.runtime.block_on(async {
            tokio::select! {
                outcomes = heard => outcomes,
                // Nothing is released: what has arrived is drained again, as the same record.
                () = self.stop.cancelled() => Vec::new(),
            }
        })
    }

    fn offer(&self, entry: &Entry, now: Instant) -> Result<Confirmation, Unconfirmed> {
        let (waiting, confirmation) = Waiting::pair(Arc::clone(&self.breaker), now);
        match self.producer.offer(&entry.record, waiting) {
            Ok(()) => Ok(confirmation),
            Err(error @ NotTaken::TooLarge) => Err(Unconfirmed::Refused(error.to_string())),
            Err(error) => Err(Unconfirmed::Failed(error.to_string())),
        }
    }

    fn release(&mut self, drain: &mut Drain) -> usize {
        let mut last = None;
        let mut released = 0;
        while let Some(pending) = self.pending.pop_front_if(|pending| pending.safe) {
            last = Some(pending.entry.position);
            released += 1;
        }
        if let Some(position) = last {
            drain.release(position);
        }
        released
    }

    /// Sleeps, but not past the end.
    fn sleep(&self, time: Duration) {
        let stopped = async { timeout(time, self.stop.cancelled()).await.is_ok() };
        self.runtime.block_on(stopped);
    }

    /// Sleeps while there is nothing to do, until somebody wants to know whether that is so.
    fn idle(&self, time: Duration) {
        let asked = async {
            tokio::select! {
                () = self.ending.cancelled() => {}
                () = self.rest.question() => {}
            }
        };
        let woken = async { timeout(time, asked).await.is_ok() };
        self.runtime.block_on(woken);
    }
}

type Outcome = Result<(), Unconfirmed>;

/// Whether the record is safe elsewhere now.
fn settle(drain: &mut Drain, entry: &Entry, outcome: Outcome, alone: bool) -> bool {
    match outcome {
        Ok(()) => true,
        Err(Unconfirmed::Failed(_)) => false,
        Err(Unconfirmed::Refused(_)) if !alone => false,
        Err(Unconfirmed::Refused(reason)) => match drain.set_aside(entry, &reason) {
            Ok(_) => true,
            Err(error) => {
                warn!(reason = error.reason(), remedy = error.remedy(), "{error}");
                false
            }
        },
    }
}

/// Says whether it could search.
fn adopt(drain: &mut Drain) -> bool {
    match drain.adopt() {
        Ok(adopted) if adopted.segments > 0 => info!(
            directories = adopted.directories,
            segments = adopted.segments,
            bytes = adopted.bytes,
            "took over the spool of a process that is dead"
        ),
        Ok(_) => {}
        Err(fault) => {
            warn!("the spool directory cannot be searched: {fault}");
            return false;
        }
    }
    true
}
