//! Read, judge, collect, load, commit.
//!
//! One batch is collected while another is loaded. When both are full the partitions are paused;
//! polling goes on, so that the group keeps us. Everything here runs in one task, rebalances
//! included: between two steps of it the progress does not change under us.

mod commit;
mod drain;
mod ending;
mod hold;
mod loaded;
mod pausing;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, StreamExt as _};
use postback_normalise::Rules;
use postback_service::kafka::rdkafka::consumer::Consumer as _;
use postback_service::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use postback_service::kafka::rdkafka::message::{BorrowedMessage, Message as _};
use postback_service::lifecycle::Shutdown;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};

use commit::{Committing, answered};
use drain::act_on_all;
use hold::Standstill;
use loaded::finished;

use crate::batch::{Batch, Bounds};
use crate::crash::{self, Place};
use crate::holds::{Cause, Holds};
use crate::judge::{Examined, LaterVersion, Message, Origin};
use crate::kafka::{Member, SharedProgress};
use crate::load::{Loaded, Loader};
use crate::progress::{Epoch, Partition, Taken};
use crate::role::{Role, RoleMetrics, RoleProbe, Turns};

/// How often held partitions, failed commits and paused partitions are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Records taken from librdkafka before anything else gets its turn.
const RECORDS_AT_ONCE: usize = 512;
/// While a batch waits for its turn, and a mark for its answer.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
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
    pub(crate) metrics: RoleMetrics,
    /// Fails while a partition is held, and before the group gave us an assignment.
    pub(crate) probe: RoleProbe,
    pub(crate) rules: watch::Receiver<Arc<Rules>>,
    pub(crate) role: Role,
    pub(crate) turns: Turns,
    /// The mark under which to stand still, while another generation passes.
    pub(crate) hold: watch::Receiver<Option<Arc<str>>>,
}

/// What changes while it runs.
struct State {
    collecting: Batch,
    loading: Option<Load>,
    holds: Holds,
    /// What we paused, with the assignment under which: a new one is not paused.
    paused: BTreeSet<(Partition, Epoch)>,
    committing: Option<Committing>,
    commit_from: Option<Instant>,
    standstill: Standstill,
    measuring: Option<JoinHandle<()>>,
    warned_sources: BTreeSet<Box<str>>,
}

impl State {
    fn new(topic: &str, rules: Arc<Rules>) -> Self {
        Self {
            collecting: Batch::new(topic.into(), rules),
            loading: None,
            holds: Holds::default(),
            paused: BTreeSet::new(),
            committing: None,
            commit_from: None,
            standstill: Standstill::default(),
            measuring: None,
            warned_sources: BTreeSet::new(),
        }
    }
}

/// The batch that is being loaded.
struct Load {
    task: JoinHandle<Vec<Loaded>>,
    began: Instant,
}

impl Pipeline {
    /// Runs until shutdown, then ends in order.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<(), PipelineError> {
        let member = Arc::clone(&self.member);
        let mut messages = member.stream();
        let mut state = State::new(&self.topic, self.rules.borrow().clone());
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut holds = self.hold.clone();
        loop {
            self.settle(&mut state);
            self.take_mark(&mut state).await;
            let due = self.wait_until(&state);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                loaded = finished(&mut state.loading) => self.finish(&mut state, loaded?),
                result = answered(&mut state.committing) => self.committed(&mut state, result?),
                _ = tick.tick() => self.tick(&mut state),
                () = sleep_until(due) => {}
                // At its end nothing changes any more.
                Ok(()) = holds.changed() => {}
                Some(first) = messages.next() => {
                    let next = || messages.next().now_or_never().flatten();
                    let now = Instant::now();
                    act_on_all(first, next, RECORDS_AT_ONCE, |message| {
                        match message {
                            Ok(message) => self.take(&mut state, &message, now),
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
        let is_due = state.loading.is_none() && state.collecting.is_due(self.bounds, now);
        if is_due && self.may_load(now) {
            self.turns.take(&self.role, now);
            self.begin(state, now);
        }
        self.pause_and_resume(state);
        self.commit(state, now);
        self.mark_standstill(state, now);
        self.show(state);
    }

    fn begin(&self, state: &mut State, now: Instant) {
        let batch = state.collecting.take();
        self.metrics.batch(batch.rows(), batch.bytes());
        self.metrics.batch_age.observe(batch.age(now));
        let task = tokio::spawn(Arc::clone(&self.loader).load(batch));
        state.loading = Some(Load { task, began: now });
    }

    /// A message is worked on if its partition is ours and to be read.
    fn take(&self, state: &mut State, message: &BorrowedMessage<'_>, now: Instant) {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(taken) = self.progress.lock().take(partition, offset) else {
            return;
        };
        let Taken { epoch, skipped, .. } = taken;
        crash::pass(Place::Taken);
        self.member.context().denials.read();
        if let Some(expected) = taken.restarted_at {
            state.collecting.carry_over(partition, epoch);
            self.metrics.log_restarts.inc();
            error!(
                topic = self.topic,
                partition,
                offset,
                expected,
                "the partition's log began anew (topic deleted and made again, or cut short): \
                 loading goes on from here; what the old log had and was not loaded is gone"
            );
        }
        if skipped > 0 {
            self.metrics.skipped_offsets.inc_by(skipped);
            error!(
                topic = self.topic,
                partition,
                offset,
                skipped,
                "Kafka has no records at the offsets before this one: they are lost to this generation, \
                 unless the topic is compacted or written in transactions"
            );
        }
        let message = Message {
            topic: message.topic(),
            partition,
            offset,
            broker_millis: message.timestamp().to_millis().unwrap_or(-1),
            bytes: message.payload().unwrap_or_default(),
        };
        let rules = state.collecting.rules(|| self.rules.borrow().clone());
        match Examined::of(message) {
            Ok(examined) => {
                let record = examined.judge(&rules);
                if let Origin::Unknown(source) = &record.origin {
                    self.warn_of_source(&mut state.warned_sources, source);
                }
                state.collecting.push(partition, epoch, &record, now);
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

    /// When the batch must be looked at again: for its age, or because it waits for its turn.
    fn wait_until(&self, state: &State) -> Option<Instant> {
        if state.standstill.is_marking() {
            return Some(Instant::now() + LOOK_AGAIN);
        }
        if state.loading.is_some() {
            return None;
        }
        let due = state.collecting.due_at(self.bounds)?;
        let now = Instant::now();
        let earliest = if self.may_load(now) {
            due
        } else {
            now + LOOK_AGAIN
        };
        Some(due.max(earliest))
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

    /// What is looked at now and then.
    fn tick(&self, state: &mut State) {
        if self.role.is_active() {
            let lag = self.progress.lock().whole_lag();
            self.turns.set_behind(self.bounds.is_many(lag));
        }
        self.member.context().bootstrap.mend(self.member.client());
        self.try_held(state);
        self.measure_paused(state);
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
        // librdkafka tries again by itself.
        self.member.context().denials.hear(&error);
        Ok(())
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
