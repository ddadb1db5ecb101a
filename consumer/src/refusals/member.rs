//! Our membership in the group that loads refusals.

use std::sync::atomic::{AtomicBool, Ordering};

use postback_common::config::Settings;
use postback_service::kafka::rdkafka::client::ClientContext;
use postback_service::kafka::rdkafka::config::RDKafkaLogLevel;
use postback_service::kafka::rdkafka::consumer::Consumer as _;
use postback_service::kafka::rdkafka::consumer::{
    BaseConsumer, ConsumerContext, Rebalance, StreamConsumer,
};
use postback_service::kafka::rdkafka::error::{KafkaError, KafkaResult};
use postback_service::kafka::rdkafka::statistics::Statistics;
use postback_service::kafka::{Bootstrap, refusals_member_config};
use postback_service::probes::Probe;
use tracing::debug;

use super::RefusalMetrics;
use crate::denials::Denials;

/// Its name in the log.
const CLIENT: &str = "refusals";

/// A member of the group.
pub(super) type Member = StreamConsumer<Events>;

/// librdkafka's callbacks. The member that loads postbacks says already what is wrong with Kafka.
pub(super) struct Events {
    topic: String,
    metrics: RefusalMetrics,
    pub(super) denials: Denials,
    pub(super) bootstrap: Bootstrap,
    /// Says what is denied.
    notice: Probe,
    is_denied: AtomicBool,
}

/// Joins the group `{group}-refused`.
pub(super) fn join(
    settings: &Settings,
    metrics: RefusalMetrics,
    notice: &Probe,
) -> KafkaResult<Member> {
    let topic = settings.kafka.refused_topic.clone();
    let group = settings.consumer.refused_group();
    let events = Events {
        topic: topic.clone(),
        metrics,
        denials: Denials::new(&topic, &group, &settings.consumer.group),
        bootstrap: Bootstrap::new(CLIENT, &settings.kafka),
        notice: notice.clone(),
        is_denied: AtomicBool::new(false),
    };
    let config = refusals_member_config(&settings.kafka, &settings.consumer, &group);
    let member: Member = config.create_with_context(events)?;
    member.subscribe(&[&topic])?;
    Ok(member)
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        debug!(target: "librdkafka", ?level, facility, client = CLIENT, "{text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", %error, client = CLIENT, "{reason}");
    }

    fn stats(&self, statistics: Statistics) {
        self.bootstrap.see(&statistics);
        self.tell_denied(&statistics);
        let Some(topic) = statistics.topics.get(&self.topic) else {
            return;
        };
        // What is not known yet is -1.
        let lags = topic.partitions.values();
        let lags = lags.filter_map(|partition| u64::try_from(partition.consumer_lag).ok());
        self.metrics.lag.set(lags.sum());
    }
}

impl ConsumerContext for Events {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            self.denials.joined(list.count() > 0);
        }
    }
}

impl Events {
    /// Nobody polls, and so nobody comes here, while ClickHouse is waited for: what is said of that
    /// stays.
    fn tell_denied(&self, statistics: &Statistics) {
        let denied = self.denials.current(statistics);
        let was_denied = self.is_denied.swap(denied.is_some(), Ordering::Relaxed);
        match denied {
            Some((reason, remedy)) => self.notice.fail(reason, remedy),
            None if was_denied => self.notice.pass(),
            None => {}
        }
    }
}
