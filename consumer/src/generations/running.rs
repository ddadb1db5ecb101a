//! One generation's pipeline, and what steers it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use clickhouse::Client;
use postback_common::config::Settings;
use postback_normalise::{RecordedRules, Rules};
use postback_service::kafka::{Bootstrap, KafkaMetrics};
use postback_service::lifecycle::Shutdown;
use postback_service::probes::Probe;
use postback_store::Generation;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tracing::info;

use super::in_force;
use super::rules::RulesError;
use crate::batch::Bounds;
use crate::denials::Denials;
use crate::endpoints::EndpointMetrics;
use crate::health::ClickHouseHealth;
use crate::kafka::{GroupEvents, SharedProgress, join, member_config};
use crate::lasting::uphold;
use crate::load::{Experience, Loader};
use crate::metrics::ConsumerMetrics;
use crate::pipeline::{Pipeline, PipelineError};
use crate::role::{Role, RoleMetrics, RoleProbe, Turns};
use crate::unread::Unread;
use crate::upkeep::UpkeepMetrics;

/// The name of its clients in metrics and logs.
const CLIENT: &str = "consumer";

/// What every pipeline of this process is made of.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    /// For loads.
    pub(crate) loading: Client,
    pub(crate) health: ClickHouseHealth,
    pub(crate) kafka_metrics: KafkaMetrics,
    /// Of what readers see.
    pub(crate) metrics: ConsumerMetrics,
    /// Of generations beside it.
    pub(crate) standby: ConsumerMetrics,
    pub(crate) probes: PipelineProbes,
    pub(crate) turns: Turns,
    pub(crate) upkeep: UpkeepMetrics,
    pub(crate) endpoints: EndpointMetrics,
}

/// What `/readyz` shows of pipelines.
#[derive(Debug, Clone)]
pub(crate) struct PipelineProbes {
    pub(crate) kafka: Probe,
    pub(crate) partitions: Probe,
    /// A notice.
    pub(crate) standby: Probe,
}

/// A pipeline at work.
pub(crate) struct Running {
    pub(crate) progress: SharedProgress,
    pub(crate) stop: Shutdown,
    metrics: RoleMetrics,
    role: Role,
    recorded: RecordedRules,
    rules: watch::Sender<Arc<Rules>>,
    hold: watch::Sender<Option<Arc<str>>>,
    task: JoinHandle<Result<(), PipelineError>>,
    standby: Probe,
}

impl Parts {
    /// Metrics of a pipeline of that role.
    pub(crate) fn metrics_of(&self, role: &Role) -> RoleMetrics {
        RoleMetrics {
            role: role.clone(),
            active: self.metrics.clone(),
            standby: self.standby.clone(),
        }
    }

    /// Joins a generation's group and begins to load.
    pub(super) fn start(
        &self,
        generation: Generation,
        recorded: &RecordedRules,
        is_active: bool,
        shutdown: &Shutdown,
    ) -> Result<Running, RulesError> {
        let Settings {
            kafka, consumer, ..
        } = &self.settings;
        let (rules, rules_seen) = watch::channel(Arc::new(in_force(recorded, generation)?));
        let (hold, hold_seen) = watch::channel(None);
        let role = Role::new(is_active);
        let metrics = self.metrics_of(&role);
        let stop = shutdown.child_token();
        let progress = SharedProgress::default();
        let group = generation.consumer_group(&consumer.group);
        let events = GroupEvents {
            topic: kafka.topic.clone(),
            brokers: kafka.brokers.join(","),
            events: self.kafka_metrics.client(CLIENT),
            bootstrap: Bootstrap::new(CLIENT, kafka),
            progress: progress.clone(),
            metrics: metrics.clone(),
            probe: RoleProbe::new(&role, &self.probes.kafka, None),
            denials: Denials::new(&kafka.topic, &group, &consumer.group),
        };
        let config = member_config(kafka, consumer, &group);
        let loader = Loader {
            client: self.loading.clone(),
            generation,
            topic: kafka.topic.clone(),
            progress: progress.clone(),
            health: self.health.told_by(&metrics),
            metrics: metrics.clone(),
            shutdown: stop.clone(),
            experience: Experience::default(),
        };
        let probe = RoleProbe::new(&role, &self.probes.partitions, Some(&self.probes.standby));
        let begin = Begin {
            bounds: Bounds::of(consumer),
            topic: kafka.topic.clone(),
            instance: consumer.instance_id.clone(),
            turns: self.turns.clone(),
        };
        let unread = Unread {
            kafka: kafka.clone(),
            group: group.clone(),
            progress: progress.clone(),
            metrics: metrics.clone(),
        };
        let until = stop.clone();
        let watch = move || unread.clone().watch(until.clone());
        drop(uphold("age of what is unread", stop.clone(), watch));
        info!(group, topic = kafka.topic, %generation, "joining the group");
        let (role_now, metrics_now, progress_now) =
            (role.clone(), metrics.clone(), progress.clone());
        let stop_now = stop.clone();
        let task = tokio::spawn(async move {
            let member = join(&config, events).map_err(PipelineError::Kafka)?;
            let pipeline = Pipeline {
                member: Arc::new(member),
                group,
                topic: begin.topic,
                instance: begin.instance,
                bounds: begin.bounds,
                progress: progress_now,
                loader: Arc::new(loader),
                metrics: metrics_now,
                probe,
                rules: rules_seen,
                role: role_now,
                turns: begin.turns,
                hold: hold_seen,
            };
            pipeline.run(stop_now).await
        });
        Ok(Running {
            progress,
            stop,
            metrics,
            role,
            recorded: recorded.clone(),
            rules,
            hold,
            task,
            standby: self.probes.standby.clone(),
        })
    }
}

/// What a pipeline is told at its beginning.
struct Begin {
    bounds: Bounds,
    topic: String,
    instance: Option<String>,
    turns: Turns,
}

impl Running {
    /// Loads by these rules from now on.
    pub(super) fn follow(
        &mut self,
        recorded: &RecordedRules,
        generation: Generation,
    ) -> Result<(), RulesError> {
        if self.recorded != *recorded {
            let rules = in_force(recorded, generation)?;
            self.rules.send_replace(Arc::new(rules));
            self.recorded = recorded.clone();
        }
        Ok(())
    }

    /// Takes its role. What was shown under the other one is forgotten.
    pub(super) fn play(&self, is_active: bool) {
        if self.role.set(is_active) {
            let partitions: Vec<_> = (self.progress.lock().assignments())
                .map(|(partition, ..)| partition)
                .collect();
            for partition in partitions {
                self.metrics.forget(partition);
            }
        }
    }

    /// Stands still under that mark, or goes on.
    pub(super) fn hold(&self, mark: Option<&str>) {
        self.hold.send_if_modified(|held| {
            let is_other = held.as_deref() != mark;
            if is_other {
                *held = mark.map(Arc::from);
            }
            is_other
        });
    }

    /// Waits for its end. A standby that is gone has nothing to complain about.
    pub(super) async fn ended(self) -> Result<(), PipelineError> {
        let ended = flatten(self.task.await);
        if !self.role.is_active() {
            self.standby.pass();
        }
        ended
    }
}

fn flatten(ended: Result<Result<(), PipelineError>, JoinError>) -> Result<(), PipelineError> {
    ended.map_err(PipelineError::from).and_then(|ended| ended)
}

/// The first pipeline that ends. Safe to cancel.
pub(super) async fn first_ended(
    running: &mut BTreeMap<Generation, Running>,
) -> (Generation, Result<(), PipelineError>) {
    poll_fn(|context| {
        for (generation, running) in running.iter_mut() {
            if let Poll::Ready(ended) = Pin::new(&mut running.task).poll(context) {
                return Poll::Ready((*generation, flatten(ended)));
            }
        }
        Poll::Pending
    })
    .await
}
