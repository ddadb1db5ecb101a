//! Our membership in the consumer group, and what librdkafka tells us about it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use postback_service::kafka::member_config;
use postback_service::kafka::rdkafka::client::ClientContext;
use postback_service::kafka::rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use postback_service::kafka::rdkafka::consumer::{
    BaseConsumer, Consumer as _, ConsumerContext, Rebalance, StreamConsumer,
};
use postback_service::kafka::rdkafka::error::{KafkaError, KafkaResult};
use postback_service::kafka::rdkafka::statistics::Statistics;
use postback_service::kafka::rdkafka::topic_partition_list::{
    Offset, TopicPartitionList, TopicPartitionListElem,
};
use postback_service::kafka::{Bootstrap, ClientEvents};
use tracing::{debug, info, warn};

use crate::crash::{self, Place};
use crate::denials::Denials;
use crate::progress::{Partition, Progress};
use crate::role::{RoleMetrics, RoleProbe};

/// The progress, as the group's callbacks, the pipeline and a load share it. Never locked across a
/// wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedProgress(Arc<Mutex<Progress>>);

impl SharedProgress {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For one question about where a partition ends, or what the group has committed.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// A member of the group.
pub(crate) type Member = StreamConsumer<GroupEvents>;

/// librdkafka's callbacks. They run inside the pipeline's own polls, so nothing of ours runs
/// between the moment when a partition goes away and the moment when [`Progress`] knows it.
pub(crate) struct GroupEvents {
    pub(crate) topic: String,
    pub(crate) brokers: String,
    pub(crate) events: ClientEvents,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) progress: SharedProgress,
    pub(crate) metrics: RoleMetrics,
    pub(crate) probe: RoleProbe,
    /// What Kafka does not let us do.
    pub(crate) denials: Denials,
}

impl ClientContext for GroupEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.events.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.bootstrap.see(&statistics);
        self.watch_cluster(&statistics);
        self.measure_lag(&statistics);
        self.events.stats(statistics);
    }
}

impl ConsumerContext for GroupEvents {
    /// What is new to us is read, whatever was paused before, by whichever way it was taken from us.
    fn post_rebalance(&self, member: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance
            && let Err(error) = member.resume(list)
        {
            warn!(%error, "cannot resume what is given to us");
        }
    }

    fn pre_rebalance(&self, member: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        self.metrics.rebalances.inc();
        match rebalance {
            Rebalance::Assign(list) => {
                self.assigned(&partitions(list));
                self.see_committed(member, list);
            }
            Rebalance::Revoke(list) => {
                // librdkafka 2.12 remembers what an application has paused beyond the assignment: a
                // partition that comes back would never be read again.
                if let Err(error) = member.resume(list) {
                    warn!(%error, "cannot resume what is taken from us");
                }
                self.revoked(&partitions(list));
            }
            Rebalance::Error(error) => {
                warn!(%error, "rebalance failed: all partitions are given back");
                let all: Vec<_> = self
                    .progress
                    .lock()
                    .assignments()
                    .map(|(p, ..)| p)
                    .collect();
                self.revoked(&all);
            }
        }
        let ours = self.progress.lock().assignments().count();
        self.metrics
            .assigned
            .set(i64::try_from(ours).unwrap_or(i64::MAX));
    }
}

impl GroupEvents {
    fn assigned(&self, partitions: &[Partition]) {
        crash::pass(Place::Assigned);
        self.progress.lock().assign(partitions.iter().copied());
        self.denials.joined(!partitions.is_empty());
        if !partitions.is_empty() {
            info!(topic = self.topic, ?partitions, "partitions assigned");
        }
    }

    /// What the group has committed of partitions that are new to us: nothing of ours is by now. Where
    /// it cannot be asked, what was lost before our first record is not noticed. Blocks.
    fn see_committed(&self, member: &BaseConsumer<Self>, assigned: &TopicPartitionList) {
        if assigned.count() == 0 {
            return;
        }
        match member.committed_offsets(assigned.clone(), LOOK_WITHIN) {
            Ok(committed) => {
                let mut progress = self.progress.lock();
                for element in committed.elements() {
                    if let Offset::Offset(offset) = element.offset() {
                        progress.begin_at(element.partition(), offset);
                    }
                }
            }
            Err(error) => debug!(%error, "what the group has committed was not read"),
        }
    }

    fn revoked(&self, partitions: &[Partition]) {
        crash::pass(Place::Revoked);
        self.progress.lock().revoke(partitions.iter().copied());
        for partition in partitions {
            self.metrics.forget(*partition);
        }
        if !partitions.is_empty() {
            info!(
                topic = self.topic,
                ?partitions,
                "partitions revoked; what was not stored is dropped"
            );
        }
    }

    /// The probe `kafka`: brokers answer, the group's coordinator among them, and let us read.
    fn watch_cluster(&self, statistics: &Statistics) {
        let is_up =
            (statistics.brokers.values()).any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        let is_coordinated = statistics
            .cgrp
            .as_ref()
            .is_none_or(|group| group.state == "up");
        if let Some((reason, remedy)) = self.denials.current(statistics) {
            self.probe.fail(reason, remedy);
        } else if !is_up {
            let reason = format!("Kafka at {} does not answer", self.brokers);
            self.probe.fail(
                reason,
                "start Kafka, or correct kafka.brokers and kafka.options",
            );
        } else if is_coordinated {
            self.probe.pass();
        } else {
            self.probe
                .fail("the group's coordinator is not reached yet", "");
        }
    }

    fn measure_lag(&self, statistics: &Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else {
            return;
        };
        let mut progress = self.progress.lock();
        let ours: Vec<_> = progress
            .assignments()
            .map(|(partition, ..)| partition)
            .collect();
        for partition in ours {
            let Some(seen) = topic.partitions.get(&partition) else {
                continue;
            };
            progress.see_end(partition, seen.hi_offset);
            let known = [seen.committed_offset, seen.lo_offset]
                .into_iter()
                .find(|offset| *offset >= 0);
            if let Some(records) = progress.lag(partition, known) {
                self.metrics.lag(partition, records);
            }
        }
    }
}

/// Asks the brokers where paused partitions end: librdkafka learns it from what it fetches, and of
/// these it fetches nothing. Blocks.
pub(crate) fn look_at_ends(member: &Member, partitions: &[Partition]) {
    let context = member.context();
    for partition in partitions {
        // The next look comes soon; one broker that is away must not delay it.
        let Ok((_, end)) = member.fetch_watermarks(&context.topic, *partition, LOOK_WITHIN) else {
            return;
        };
        context.progress.lock().see_end(*partition, end);
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<Partition> {
    list.elements()
        .iter()
        .map(TopicPartitionListElem::partition)
        .collect()
}

/// A list of partitions of one topic, for librdkafka.
pub(crate) fn list(
    topic: &str,
    partitions: impl IntoIterator<Item = Partition>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, partition);
    }
    list
}

/// A list of next offsets.
pub(crate) fn offsets(
    topic: &str,
    next: &[(Partition, crate::progress::Offset)],
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in next {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}

/// Joins the group.
pub(crate) fn join(config: &ClientConfig, events: GroupEvents) -> KafkaResult<Member> {
    let topic = events.topic.clone();
    let member: Member = config.create_with_context(events)?;
    member.subscribe(&[&topic])?;
    Ok(member)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postback_service::kafka::KafkaMetrics;
    use postback_service::kafka::rdkafka::mocking::MockCluster;
    use postback_service::kafka::rdkafka::producer::DefaultProducerContext;
    use postback_service::kafka::rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use postback_service::metrics::Metrics;
    use postback_service::probes::{Probe, Readiness};

    use super::*;
    use crate::metrics::ConsumerMetrics;
    use crate::role::Role;

    type Cluster = MockCluster<'static, DefaultProducerContext>;

    /// Joins `loader-g1` there.
    fn joined(cluster: &Cluster) -> (Member, Probe) {
        let brokers = cluster.bootstrap_servers();
        let text = format!("[kafka]\nbrokers = \"{brokers}\"\ntopic = \"t\"\n");
        let settings = postback_common::config::read(Path::new("t.toml"), &text, []).unwrap();
        let (role, probe) = (Role::new(true), Readiness::new().probe("kafka"));
        let mut metrics = Metrics::new();
        let events = GroupEvents {
            topic: "t".to_owned(),
            brokers,
            events: KafkaMetrics::register(&mut metrics).client("consumer"),
            bootstrap: Bootstrap::new("consumer", &settings.kafka),
            progress: SharedProgress::default(),
            metrics: RoleMetrics {
                role: role.clone(),
                active: ConsumerMetrics::of_active(&mut metrics),
                standby: ConsumerMetrics::of_standby(&mut metrics),
            },
            probe: RoleProbe::new(&role, &probe, None),
            denials: Denials::new("t", "loader-g1", "loader"),
        };
        let config = member_config(&settings.kafka, &settings.consumer, "loader-g1");
        (join(&config, events).unwrap(), probe)
    }

    /// Polls until the probe says so; an empty text stands for all is well.
    async fn until_said(member: &Member, probe: &Probe, expected: &str) {
        let said = || {
            probe
                .failure()
                .map_or(String::new(), |found| found.to_string())
        };
        let polling = async {
            while said() != expected {
                let polled = tokio::time::timeout(Duration::from_millis(100), member.recv()).await;
                if let Ok(Err(error)) = polled {
                    member.context().denials.hear(&error);
                }
            }
        };
        let heard = tokio::time::timeout(Duration::from_secs(30), polling).await;
        assert!(
            heard.is_ok(),
            "expected {expected:?}, and it says {:?}",
            said()
        );
    }

    const REMEDY: &str =
        "allow the user in kafka.options to Read topic t and groups with the prefix loader";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_group_that_may_not_be_joined_is_said_until_it_is_joined() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let refuses = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 1_000];
        cluster.request_errors(RDKafkaApiKey::FindCoordinator, &refuses);
        let (member, probe) = joined(&cluster);
        let refused = format!("Kafka refuses to let group loader-g1 be joined: {REMEDY}");
        until_said(&member, &probe, &refused).await;
        cluster.clear_request_errors(RDKafkaApiKey::FindCoordinator);
        until_said(&member, &probe, "").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_topic_that_may_not_be_read_is_said() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let refuses = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        cluster.topic_error("t", refuses).unwrap();
        let (member, probe) = joined(&cluster);
        let refused = format!("Kafka refuses to let topic t be read: {REMEDY}");
        until_said(&member, &probe, &refused).await;
    }
}
