//! A run: from its first cell, or from where an earlier one stopped, to the end of its range.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use postback_service::kafka::Publisher;
use postback_service::lifecycle::Shutdown;
use postback_store::Client;
use postback_store::backfills::{self, Backfill};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::carried::Carried;
use super::error::BackfillError;
use super::ground::Ground;
use super::loader;
use super::planner::{MARGIN, OVERLAP, Planner};
use super::reader::{CellRead, Reader};
use super::reading::Pages;
use super::recent::{Recent, content};
use super::record::Origin;
use super::sifting::Sieve;
use super::standing::{Standing, Through};
use super::{Job, Outcome, Progress, Tools};

/// Transactions that the tables are asked for at once.
const BATCH: usize = 4_000;

/// What was read waits no longer for more.
const BATCH_WITHIN: Duration = Duration::from_secs(2);

/// Between two notes of how far the run is: what is read again after a kill. A note waits for Kafka and
/// for ClickHouse's disk.
const NOTE_EVERY: Duration = Duration::from_secs(2);

/// Whose name Kafka shows.
const CLIENT: &str = "postback-backfill";

/// Days for which what was rejected is remembered beyond what the network keeps.
const REMEMBERED: i64 = 31;

/// Fetches what the tables lack of a range, and sends it; goes on where an earlier run of the same range
/// was interrupted. Ends in order when `stop` is cancelled; dropped, it ends at once.
///
/// # Errors
/// [`BackfillError`] says what is in the way and what to do. What was sent before is noted.
pub async fn run(
    job: &Job,
    tools: &Tools,
    stop: &Shutdown,
    progress: &dyn Progress,
) -> Result<Outcome, BackfillError> {
    let job = &job.up_to(Timestamp::now());
    let ground = Ground::of(&tools.settings, &job.source).await?;
    let known = match job.is_dry {
        true => None,
        false => unfinished(job, &ground.client).await?,
    };
    let (known, counted_through) = known.unzip();
    let went_on_at = known.as_ref().map(|known| known.done_through);
    // One that ended before it had read anything has nothing to go on from.
    let went_on_at = went_on_at.filter(|at| *at > begin(job));
    let run = known.unwrap_or_else(|| fresh(job));
    let generation = ground.reader.generation();
    if loader::wait(&tools.settings, generation, stop, progress).await? {
        return Ok(Outcome {
            run,
            went_on_at,
            was_stopped: true,
        });
    }
    let store = match job.is_dry {
        true => None,
        false => Some(Store {
            publisher: Publisher::open(&tools.settings, CLIENT).await?,
            client: ground.client,
            noted_at: Instant::now(),
        }),
    };
    let remembered = i64::from(tools.api.keeps_days) + REMEMBERED;
    let sieve = Sieve {
        carried: Carried::of(&ground.rules),
        rules: ground.rules,
        reader: ground.reader,
        origin: Origin {
            id: run.id,
            source: job.source.clone(),
            started_at: run.started_at,
        },
        since: run.started_at - SignedDuration::from_hours(24 * remembered),
        horizon: ground.horizon,
        counted_through: counted_through.flatten(),
    };
    let planner = Planner::new(
        run.done_through.as_second(),
        ceiling(job.to) + MARGIN,
        Timestamp::now().as_second(),
        tools.api.page_size,
    );
    let mut course = Course {
        reader: Reader::new(tools.network.clone(), planner, tools.api.max_calls),
        sieve,
        store,
        standing: Standing::of(run),
        progress,
        recent: Recent::default(),
        batch: Vec::new(),
        batch_since: Instant::now(),
        read_through: None,
    };
    let was_stopped = course.go(stop).await?;
    Ok(Outcome {
        run: course.standing.into_run(),
        went_on_at,
        was_stopped,
    })
}

/// The run that goes on, and up to which process date it has counted, if anything: a little more than it
/// was done with.
async fn unfinished(
    job: &Job,
    client: &Client,
) -> Result<Option<(Backfill, Option<Timestamp>)>, BackfillError> {
    let newest = backfills::newest(client, job.source.as_str(), job.from, job.to).await?;
    let unfinished = newest.filter(|run| !run.is_finished);
    Ok(unfinished.map(|run| {
        let overlap = SignedDuration::from_secs(OVERLAP);
        let counted_through = (run.pulled > 0).then(|| run.done_through + overlap);
        let goes_on = Backfill {
            range_to: job.to,
            done_through: goes_on_at(job, &run),
            ..run
        };
        (goes_on, counted_through)
    }))
}

/// Up to where a run was done with: older notes claim some of the time after them.
pub(super) fn goes_on_at(job: &Job, run: &Backfill) -> Timestamp {
    let read = Timestamp::from_second(run.recorded_at.as_second() - MARGIN);
    let through = read.map_or(run.done_through, |read| run.done_through.min(read));
    through.max(begin(job))
}

pub(super) fn fresh(job: &Job) -> Backfill {
    let now = Timestamp::now();
    // The tables keep microseconds.
    let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
    Backfill {
        id: Uuid::new_v4(),
        step: 0,
        source: job.source.to_string(),
        range_from: job.from,
        range_to: job.to,
        started_at: now,
        done_through: begin(job),
        pulled: 0,
        matched: 0,
        missing: 0,
        changed: 0,
        newer: 0,
        undecided: 0,
        rejected: 0,
        superseded: 0,
        totals: Vec::new(),
        is_finished: false,
        made_by: job.made_by.clone(),
        recorded_at: now,
    }
}

/// Where reading begins.
fn begin(job: &Job) -> Timestamp {
    Timestamp::from_second(job.from.as_second() - MARGIN).unwrap_or(job.from)
}

/// The first whole second that is not before.
fn ceiling(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

/// Where records go, and where is noted how far.
struct Store {
    publisher: Publisher,
    client: Client,
    noted_at: Instant,
}

impl Store {
    /// Notes how far the run is, once Kafka has everything before.
    async fn note(&mut self, run: &Backfill) -> Result<(), BackfillError> {
        self.publisher.flush().await?;
        backfills::note(&self.client, run).await?;
        self.noted_at = Instant::now();
        Ok(())
    }
}

/// A run under way.
struct Course<'a, P> {
    reader: Reader<P>,
    sieve: Sieve,
    /// None of a dry run.
    store: Option<Store>,
    standing: Standing,
    progress: &'a dyn Progress,
    recent: Recent,
    /// Read, and not yet sifted.
    batch: Vec<Box<RawValue>>,
    batch_since: Instant,
    /// Through which process date the batch reaches.
    read_through: Option<Through>,
}

impl<P: Pages> Course<'_, P> {
    /// Reads to the end. Whether it was stopped before.
    async fn go(&mut self, stop: &Shutdown) -> Result<bool, BackfillError> {
        let (begin, pulled) = (self.standing.run().done_through, self.standing.run().pulled);
        self.progress.begins(begin, self.reader.end());
        self.progress.reached(begin, pulled);
        // From here on it can go on.
        self.note(false).await?;
        let read = self.read(stop).await;
        let settled = self.settle().await;
        let was_stopped = match (read, settled) {
            (Ok(was_stopped), Ok(())) => was_stopped,
            (Err(error), _) | (Ok(_), Err(error)) => {
                // What Kafka has counts, whatever ended the run.
                self.note(false).await.ok();
                return Err(error);
            }
        };
        self.note(!was_stopped).await?;
        Ok(was_stopped)
    }

    async fn read(&mut self, stop: &Shutdown) -> Result<bool, BackfillError> {
        loop {
            let read = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(true),
                read = self.reader.next() => read?,
            };
            let Some(read) = read else {
                return Ok(false);
            };
            if self.divides(&read) {
                self.settle().await?;
            }
            self.take(read);
            let is_due = self.batch_since.elapsed() >= BATCH_WITHIN;
            if self.batch.len() >= BATCH || is_due {
                self.settle().await?;
                self.note_now_and_then().await?;
            }
        }
    }

    /// Whether a cell is to be counted apart from the batch: only the batch is done with.
    fn divides(&self, read: &CellRead) -> bool {
        let is_done = self.read_through.is_some_and(|through| through.is_all);
        is_done && !read.through.is_all
    }

    /// Takes what is new of a cell.
    fn take(&mut self, read: CellRead) {
        self.recent.turn();
        let recent = &mut self.recent;
        let new = read.transactions.into_iter();
        self.batch
            .extend(new.filter(|transaction| recent.is_new(content(transaction.get()))));
        self.read_through = Some(read.through);
        let run = self.standing.run();
        let pulled = run.pulled + self.batch.len() as u64;
        let through = Timestamp::from_second(read.cell.to).unwrap_or(run.done_through);
        self.progress.reached(through, pulled);
    }

    /// Sends what of the batch is to be sent.
    async fn settle(&mut self) -> Result<(), BackfillError> {
        let mut run = self.standing.run().clone();
        for piece in self.batch.chunks(BATCH) {
            for sending in self.sieve.sift(piece, &mut run).await? {
                self.progress.found(&sending.finding);
                if let (Some(store), Some(record)) = (&mut self.store, &sending.record) {
                    store.publisher.send(record).await?;
                }
            }
        }
        self.batch.clear();
        self.batch_since = Instant::now();
        self.standing.counts(run, self.read_through.take());
        Ok(())
    }

    async fn note_now_and_then(&mut self) -> Result<(), BackfillError> {
        match &self.store {
            Some(store) if store.noted_at.elapsed() >= NOTE_EVERY => self.note(false).await,
            _ => Ok(()),
        }
    }

    async fn note(&mut self, is_finished: bool) -> Result<(), BackfillError> {
        let run = self.standing.note(is_finished);
        match &mut self.store {
            Some(store) => store.note(run).await,
            None => Ok(()),
        }
    }
}
