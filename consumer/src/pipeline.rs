//! Read, judge, collect, load, commit.
//!
//! One batch is collected while another is loaded. When both are full the partitions are paused;
//! polling goes on, so that the group keeps us. Everything here runs in one task, rebalances
//! included: between two steps of it the progress does not change under us.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, StreamExt as _};
use postback_normalise::Configured;
use postback_service::kafka::rdkafka::consumer::{CommitMode, Consumer as _};
use postback_service::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use postback_service::kafka::rdkafka::message::{BorrowedMessage, Message as _};
use postback_service::kafka::rdkafka::topic_partition_list::Offset;
use postback_service::lifecycle::Shutdown;
use postback_service::probes::Probe;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::MissedTickBehavior;
use tracing::{error, info, warn};

use crate::batch::{Batch, Bounds};
use crate::holds::{Cause, Holds};
use crate::judge::{LaterVersion, Message, Origin, judge};
use crate::kafka::{Member, SharedProgress, list, offsets};
use crate::load::{Fate, Loaded, Loader};
use crate::metrics::ConsumerMetrics;
use crate::progress::{Epoch, Partition, Taken};

/// How often held partitions and failed commits are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Pause after a commit that failed.
const COMMIT_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Records taken from librdkafka before anything else gets its turn.
const RECORDS_AT_ONCE: usize = 512;
/// A seek is answered by librdkafka itself, not by a broker.
const SEEK_WITHIN: Duration = Duration::from_secs(1);
/// Names of unknown sources that are warned of, each once.
const MAX_WARNED_SOURCES: usize = 100;

/// Why loading ended before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PipelineError {
    /// Another process has our `consumer.instance_id`.
    #[error(
        "another process joined group {group} with consumer.instance_id = \"{instance}\"\n    \
         remedy: give every member an instance_id of its own, or end the other process"
    )]
    Fenced { group: String, instance: String },
    /// librdkafka cannot go on.
    #[error(
        "Kafka's client gave up: {0}\n    remedy: see the log; start the consumer again, nothing is lost"
    )]
    Kafka(KafkaError),
    /// A bug.
    #[error(
        "a task ended in a panic: {0}\n    remedy: see the log; start the consumer again, nothing is lost"
    )]
    Task(#[from] JoinError),
}

/// What the pipeline is made of.
pub(crate) struct Pipeline {
    pub(crate) member: Arc<Member>,
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) instance: Option<String>,
    pub(crate) bounds: Bounds,
    pub(crate) progress: SharedProgress,
    pub(crate) loader: Arc<Loader>,
    pub(crate) metrics: ConsumerMetrics,
    /// Fails while a partition is held, and before the group gave us an assignment.
    pub(crate) probe: Probe,
    pub(crate) rules: watch::Receiver<Arc<Configured>>,
}

/// What changes while it runs.
#[derive(Default)]
pub(crate) struct State {
    collecting: Batch,
    pub(crate) loading: Option<Load>,
    holds: Holds,
    /// What we paused, with the assignment under which: a new one is not paused.
    paused: BTreeSet<(Partition, Epoch)>,
    pub(crate) committing: Option<JoinHandle<Result<Committed, KafkaError>>>,
    commit_from: Option<Instant>,
    warned_sources: BTreeSet<Box<str>>,
}

/// Next offsets that the group has.
pub(crate) type Committed = Vec<(Partition, crate::progress::Offset)>;

/// The batch that is being loaded.
pub(crate) struct Load {
    pub(crate) task: JoinHandle<Vec<Loaded>>,
    began: Instant,
}

impl Pipeline {
    /// Runs until shutdown, then ends in order.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<(), PipelineError> {
        let member = Arc::clone(&self.member);
        let mut messages = member.stream();
        let mut state = State::default();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.settle(&mut state);
            let due = state.wait_until(self.bounds);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                loaded = finished(&mut state.loading) => self.finish(&mut state, loaded?),
                result = answered(&mut state.committing) => self.committed(&mut state, result?),
                _ = tick.tick() => self.tick(&mut state),
                () = sleep_until(due) => {}
                Some(first) = messages.next() => {
                    let next = || messages.next().now_or_never().flatten();
                    act_on_all(first, next, RECORDS_AT_ONCE, |message| {
                        match message {
                            Ok(message) => self.take(&mut state, &message),
                            Err(error) => self.complain(error)?,
                        }
                        Ok::<_, PipelineError>(!state.collecting.is_full(self.bounds))
                    })?;
                }
            }
        }
        drop(messages);
        // The last handle leaves the group, and that one belongs to the end.
        drop(member);
        self.end(state).await
    }

    /// Brings everything in line with what was just learned.
    fn settle(&mut self, state: &mut State) {
        let now = Instant::now();
        {
            let progress = self.progress.lock();
            state.collecting.retain_current(&progress);
            state.holds.retain(|partition| progress.is_ours(partition));
        }
        if state.loading.is_none() && state.collecting.is_due(self.bounds, now) {
            self.begin(state, now);
        }
        self.pause_and_resume(state);
        self.commit(state, now);
        self.show(state);
    }

    fn begin(&self, state: &mut State, now: Instant) {
        let batch = std::mem::take(&mut state.collecting);
        self.metrics.batch(batch.rows(), batch.bytes());
        self.metrics.batch_age.observe(batch.age(now));
        let task = tokio::spawn(Arc::clone(&self.loader).load(batch));
        state.loading = Some(Load { task, began: now });
    }

    /// A message is worked on if its partition is ours and to be read.
    fn take(&self, state: &mut State, message: &BorrowedMessage<'_>) {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(Taken { epoch, skipped }) = self.progress.lock().take(partition, offset) else {
            return;
        };
        if skipped > 0 {
            self.metrics.skipped_offsets.inc_by(skipped);
            warn!(
                partition,
                offset, skipped, "Kafka has no records at the offsets before this one"
            );
        }
        let message = Message {
            topic: message.topic(),
            partition,
            offset,
            broker_millis: message.timestamp().to_millis().unwrap_or(-1),
            bytes: message.payload().unwrap_or_default(),
        };
        let judged = judge(message, &self.rules.borrow());
        match judged {
            Ok(record) => {
                if let Origin::Unknown(source) = &record.origin {
                    self.warn_of_source(&mut state.warned_sources, source);
                }
                state
                    .collecting
                    .push(partition, epoch, record, Instant::now());
            }
            Err(LaterVersion(version)) => {
                self.progress.lock().stop(partition, offset);
                let cause = Cause {
                    first: offset,
                    end: offset + 1,
                    problem: format!(
                        "a raw record of version {version}, which this program does not read"
                    ),
                    remedy: "upgrade postback-consumer; nothing is skipped".to_owned(),
                };
                self.hold(state, partition, cause);
            }
        }
    }

    fn warn_of_source(&self, warned: &mut BTreeSet<Box<str>>, source: &str) {
        self.metrics.unknown_sources.inc();
        if warned.len() < MAX_WARNED_SOURCES && warned.insert(source.into()) {
            warn!(
                source,
                "records of a source that the configuration does not have are rejected; \
                 add it under this name, then a replay accepts them"
            );
        }
    }

    pub(crate) fn finish(&self, state: &mut State, loaded: Vec<Loaded>) {
        if let Some(load) = state.loading.take() {
            self.metrics.batch_seconds.observe(load.began.elapsed());
        }
        for part in loaded {
            let Loaded {
                partition,
                epoch,
                first,
                end,
                fate,
            } = part;
            match fate {
                Fate::Stored => {
                    let is_stored = self.progress.lock().store(partition, epoch, end);
                    if is_stored && state.holds.stored(partition, end) {
                        self.metrics.hold(partition, false);
                        info!(topic = self.topic, partition, "the held partition goes on");
                    }
                }
                Fate::Refused(error) => {
                    let mut progress = self.progress.lock();
                    if !progress.is_current(partition, epoch) {
                        continue;
                    }
                    progress.halt(partition);
                    drop(progress);
                    let code = error
                        .code
                        .map(|code| format!(", code {code}"))
                        .unwrap_or_default();
                    let cause = Cause {
                        first,
                        end,
                        problem: format!(
                            "{}: {} [{}{code}]",
                            error.attempt,
                            error.message,
                            error.kind.as_str()
                        ),
                        remedy: error.remedy.into_owned(),
                    };
                    self.hold(state, partition, cause);
                }
                Fate::Dropped => {}
            }
        }
    }

    fn hold(&self, state: &mut State, partition: Partition, cause: Cause) {
        let Cause {
            first,
            end,
            problem,
            remedy,
        } = cause.clone();
        if state.holds.hold(partition, cause, Instant::now()) {
            error!(
                topic = self.topic,
                partition,
                first_offset = first,
                last_offset = end - 1,
                remedy,
                "partition held, the others go on: {problem}"
            );
        }
        self.metrics.hold(partition, true);
    }

    /// Held partitions are read again when their time has come.
    fn tick(&self, state: &mut State) {
        for partition in state.holds.due(Instant::now()) {
            let Some(from) = self.progress.lock().go_on(partition) else {
                continue;
            };
            let sought =
                self.member
                    .seek(&self.topic, partition, Offset::Offset(from), SEEK_WITHIN);
            if let Err(error) = sought {
                // Not read from elsewhere: the hold's next turn tries again.
                warn!(partition, offset = from, %error, "cannot go back to the held offset");
                self.progress.lock().halt(partition);
                state.holds.again(partition, Instant::now());
            }
        }
    }

    /// Paused is what is not to be read, and everything while no more fits.
    fn pause_and_resume(&self, state: &mut State) {
        let no_more_fits = state.loading.is_some() && state.collecting.is_full(self.bounds);
        let assignments: BTreeMap<_, _> = (self.progress.lock().assignments())
            .map(|(partition, epoch, is_read)| ((partition, epoch), is_read))
            .collect();
        state
            .paused
            .retain(|assignment| assignments.contains_key(assignment));
        let wanted: BTreeSet<_> = (assignments.into_iter())
            .filter(|(_, is_read)| no_more_fits || !is_read)
            .map(|(assignment, _)| assignment)
            .collect();
        let topic = &*self.topic;
        let pause: Vec<_> = wanted.difference(&state.paused).copied().collect();
        let resume: Vec<_> = state.paused.difference(&wanted).copied().collect();
        let partitions = |assignments: &[(Partition, Epoch)]| {
            list(topic, assignments.iter().map(|(partition, _)| *partition))
        };
        // What fails stays different from what is wanted, and is tried again.
        if !pause.is_empty() {
            match self.member.pause(&partitions(&pause)) {
                Ok(()) => state.paused.extend(pause),
                Err(error) => warn!(%error, "cannot pause"),
            }
        }
        if !resume.is_empty() {
            match self.member.resume(&partitions(&resume)) {
                Ok(()) => state
                    .paused
                    .retain(|assignment| !resume.contains(assignment)),
                Err(error) => warn!(%error, "cannot resume"),
            }
        }
    }

    /// Commits what is stored of the partitions that are ours now, one commit at a time.
    ///
    /// librdkafka waits for the broker in a thread of its own: of commits that it does not wait
    /// for, rdkafka 0.39 never tells the result (librdkafka 2.12 tells it only where a callback is
    /// set, and rdkafka asks for an event). Should a partition go away meanwhile, its commit is
    /// refused, or names records that are stored: nothing is lost either way.
    pub(crate) fn commit(&self, state: &mut State, now: Instant) {
        let is_too_soon = state.commit_from.is_some_and(|from| now < from);
        if state.committing.is_some() || is_too_soon {
            return;
        }
        let stored = self.progress.lock().uncommitted();
        if stored.is_empty() {
            return;
        }
        let (member, topic) = (Arc::clone(&self.member), self.topic.clone());
        state.committing = Some(tokio::task::spawn_blocking(move || {
            let list = offsets(&topic, &stored)?;
            member.commit(&list, CommitMode::Sync)?;
            Ok(stored)
        }));
    }

    pub(crate) fn committed(&self, state: &mut State, result: Result<Committed, KafkaError>) {
        state.committing = None;
        self.metrics.commit(result.is_ok());
        match result {
            Ok(offsets) => {
                let mut progress = self.progress.lock();
                for (partition, offset) in offsets {
                    progress.commit(partition, offset);
                }
            }
            Err(error) => {
                // Nothing is lost: they are committed again, or their records loaded again.
                warn!(%error, "offsets were not committed");
                state.commit_from = Some(Instant::now() + COMMIT_AGAIN_AFTER);
            }
        }
    }

    fn show(&self, state: &State) {
        if !state.holds.is_empty() {
            self.probe
                .fail(state.holds.to_string(), state.holds.remedy());
        } else if self.progress.lock().is_joined() {
            self.probe.pass();
        } else {
            self.probe.fail(format!("joining group {}", self.group), "");
        }
    }

    fn complain(&self, error: KafkaError) -> Result<(), PipelineError> {
        let code = error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::FencedInstanceId) {
            let instance = self.instance.clone().unwrap_or_default();
            return Err(PipelineError::Fenced {
                group: self.group.clone(),
                instance,
            });
        }
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            return Err(PipelineError::Kafka(error));
        }
        if matches!(
            code,
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)
        ) {
            self.member
                .context()
                .is_topic_missing
                .store(true, Ordering::Relaxed);
        }
        // librdkafka tries again by itself; the probe and its own log say what is wrong.
        tracing::debug!(%error, "Kafka");
        Ok(())
    }
}

impl State {
    /// When the batch must be looked at again for its age.
    fn wait_until(&self, bounds: Bounds) -> Option<Instant> {
        match self.loading {
            Some(_) => None,
            None => self.collecting.due_at(bounds),
        }
    }
}

/// Acts on `first` and on what else is ready, at most `at_most` altogether, until `act` wants no
/// more. Whatever was taken from `next` is acted on: what is taken and dropped would be lost.
fn act_on_all<T, E>(
    first: T,
    mut next: impl FnMut() -> Option<T>,
    at_most: usize,
    mut act: impl FnMut(T) -> Result<bool, E>,
) -> Result<(), E> {
    let mut item = Some(first);
    let mut acted = 0;
    while let Some(taken) = item {
        acted += 1;
        let wants_more = act(taken)?;
        item = if wants_more && acted < at_most {
            next()
        } else {
            None
        };
    }
    Ok(())
}

async fn finished(loading: &mut Option<Load>) -> Result<Vec<Loaded>, JoinError> {
    match loading {
        Some(load) => (&mut load.task).await,
        None => std::future::pending().await,
    }
}

async fn answered(
    committing: &mut Option<JoinHandle<Result<Committed, KafkaError>>>,
) -> Result<Result<Committed, KafkaError>, JoinError> {
    match committing {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_taken_from_the_stream_is_acted_on() {
        for (at_most, full_after, expected) in
            [(4, 100, 4), (100, 3, 3), (100, 100, 10), (1, 100, 1)]
        {
            let mut stream = 1..10;
            let mut acted = Vec::new();
            let done = act_on_all(
                0,
                || stream.next(),
                at_most,
                |item| {
                    acted.push(item);
                    Ok::<_, ()>(acted.len() < full_after)
                },
            );
            assert_eq!(done, Ok(()));
            assert_eq!(acted.len(), expected);
            let rest: Vec<i32> = acted.into_iter().chain(stream).collect();
            assert_eq!(rest, (0..10).collect::<Vec<_>>(), "nothing is missing");
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut stream = 1..10;
        let done = act_on_all(
            0,
            || stream.next(),
            100,
            |item| if item < 2 { Ok(true) } else { Err(item) },
        );
        assert_eq!((done, stream.next()), (Err(2), Some(3)));
    }
}
