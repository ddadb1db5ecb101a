//! Our membership in the consumer group, and what librdkafka tells us about it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postback_common::config::{ConsumerSettings, KafkaSettings};
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
use postback_service::kafka::{ClientEvents, client_config};
use tracing::{info, warn};

use crate::crash::{self, Place};
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

/// For one question about where a partition ends.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// A member of the group.
pub(crate) type Member = StreamConsumer<GroupEvents>;

/// librdkafka's callbacks. They run inside the pipeline's own polls, so nothing of ours runs
/// between the moment when a partition goes away and the moment when [`Progress`] knows it.
pub(crate) struct GroupEvents {
    pub(crate) topic: String,
    pub(crate) brokers: String,
    pub(crate) events: ClientEvents,
    pub(crate) progress: SharedProgress,
    pub(crate) metrics: RoleMetrics,
    pub(crate) probe: RoleProbe,
    /// Kafka said that the topic does not exist.
    pub(crate) is_topic_missing: AtomicBool,
}

/// What a member begins with. The operator's `kafka.options` win over what is merely a good value.
pub(crate) fn member_config(
    kafka: &KafkaSettings,
    consumer: &ConsumerSettings,
    group: &str,
) -> ClientConfig {
    let mut config = client_config(kafka, "postback-consumer");
    for (option, value) in [
        // A member that was killed keeps its partitions for so long; Kafka's 45 s would be a long
        // silence. It is the least that brokers allow by default: loading is to go on within 10 s, of
        // which a supervisor takes one.
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "1500"),
        // The lag, once a second.
        ("statistics.interval.ms", "1000"),
        // Memory: what is fetched ahead is a small part of a batch. A fetch is compressed, takes three
        // times as much once unpacked, and stays whole until its last record is read: at librdkafka's
        // own values they are most of what the process holds.
        ("queued.max.messages.kbytes", "2048"),
        ("fetch.max.bytes", "1048576"),
        ("fetch.message.max.bytes", "131072"),
        // librdkafka's second would be a pause in every catching up.
        ("fetch.queue.backoff.ms", "10"),
    ] {
        if config.get(option).is_none() {
            config.set(option, value);
        }
    }
    config
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Not cooperative: docs/decisions/0007-rebalances-are-eager.md.
        .set("partition.assignment.strategy", "range");
    if let Some(instance) = &consumer.instance_id {
        config.set("group.instance.id", instance);
    }
    config
}

impl ClientContext for GroupEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.events.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
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
            Rebalance::Assign(list) => self.assigned(&partitions(list)),
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
        if !partitions.is_empty() {
            self.is_topic_missing.store(false, Ordering::Relaxed);
            info!(topic = self.topic, ?partitions, "partitions assigned");
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

    /// The probe `kafka`: brokers answer, and the group's coordinator among them.
    fn watch_cluster(&self, statistics: &Statistics) {
        let is_up =
            (statistics.brokers.values()).any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        let is_coordinated = statistics
            .cgrp
            .as_ref()
            .is_none_or(|group| group.state == "up");
        if self.is_topic_missing.load(Ordering::Relaxed) {
            let reason = format!("topic {} does not exist", self.topic);
            self.probe.fail(reason, "make it with `postback migrate`");
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

    use super::*;

    #[test]
    fn what_a_promise_rests_on_holds_and_good_values_give_way() {
        let text = "[kafka]\nbrokers = \"a:1\"\n[kafka.options]\n\"session.timeout.ms\" = 30000\n[consumer]\ninstance_id = \"one\"\n";
        let settings = postback_common::config::read(Path::new("t.toml"), text, []).unwrap();
        let config = member_config(&settings.kafka, &settings.consumer, "loader-g1");
        for (option, value) in [
            ("group.id", "loader-g1"),
            ("group.instance.id", "one"),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("partition.assignment.strategy", "range"),
            ("session.timeout.ms", "30000"),
            ("heartbeat.interval.ms", "1500"),
        ] {
            assert_eq!(config.get(option), Some(value), "{option}");
        }
    }
}
