//! Our membership in the group that loads refusals.

use postback_common::config::Settings;
use postback_service::kafka::rdkafka::client::ClientContext;
use postback_service::kafka::rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use postback_service::kafka::rdkafka::consumer::Consumer as _;
use postback_service::kafka::rdkafka::consumer::{ConsumerContext, StreamConsumer};
use postback_service::kafka::rdkafka::error::{KafkaError, KafkaResult};
use postback_service::kafka::rdkafka::statistics::Statistics;
use tracing::debug;

use super::RefusalMetrics;
use crate::kafka::member_config;

/// A member of the group.
pub(super) type Member = StreamConsumer<Events>;

/// librdkafka's callbacks. The member that loads postbacks says already what is wrong with Kafka.
pub(super) struct Events {
    topic: String,
    metrics: RefusalMetrics,
}

/// Joins the group `{group}-refused`.
pub(super) fn join(settings: &Settings, metrics: RefusalMetrics) -> KafkaResult<Member> {
    let topic = settings.kafka.refused_topic.clone();
    let events = Events {
        topic: topic.clone(),
        metrics,
    };
    let member: Member = config(settings).create_with_context(events)?;
    member.subscribe(&[&topic])?;
    Ok(member)
}

fn config(settings: &Settings) -> ClientConfig {
    let group = settings.consumer.refused_group();
    let mut config = member_config(&settings.kafka, &settings.consumer, &group);
    config
        .set("client.id", "postback-consumer-refusals")
        .set("queued.max.messages.kbytes", "2048")
        .set("fetch.max.bytes", "1048576");
    config
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        debug!(target: "librdkafka", ?level, facility, client = "refusals", "{text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", %error, client = "refusals", "{reason}");
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else {
            return;
        };
        // What is not known yet is -1.
        let lags = topic.partitions.values();
        let lags = lags.filter_map(|partition| u64::try_from(partition.consumer_lag).ok());
        self.metrics.lag.set(lags.sum());
    }
}

impl ConsumerContext for Events {}
