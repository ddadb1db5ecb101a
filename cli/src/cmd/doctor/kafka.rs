//! Kafka and its topic.

use postback_common::config::Settings;
use postback_service::topic::{self, Purpose, Topic, TopicState};

use super::check::Check;
use crate::output::plural;
use crate::servers::Trouble;

/// Whether Kafka answers, and its topic is as the promises need it.
pub(super) async fn check(settings: &Settings) -> Vec<Check> {
    let brokers = settings.kafka.brokers.join(", ");
    match topic::inspect(&settings.kafka, Purpose::Raw).await {
        Err(error) => vec![Check::of_trouble("kafka", Trouble::of_kafka(&error))],
        Ok(TopicState::Missing { brokers: count }) => {
            let topic = &settings.kafka.topic;
            vec![
                answers(&brokers, count),
                Check::broken(
                    "topic",
                    format!("there is no topic {topic}"),
                    "run `postback migrate`",
                ),
            ]
        }
        Ok(TopicState::Present(topic)) => {
            let mut checks = vec![answers(&brokers, topic.brokers)];
            checks.extend(safe(&topic, settings));
            checks.push(history(&topic, settings));
            checks
        }
    }
}

fn answers(brokers: &str, count: usize) -> Check {
    let count = plural(count, "broker");
    Check::well("kafka", format!("answers at {brokers}, {count}"))
}

fn safe(topic: &Topic, settings: &Settings) -> Vec<Check> {
    let findings = topic::findings(topic, settings, Purpose::Raw);
    if findings.is_empty() {
        let Topic {
            name,
            partitions,
            replication,
            ..
        } = topic;
        let partitions = plural(*partitions, "partition");
        let what = format!("{name}: {partitions}, replication {replication}, settings safe");
        return vec![Check::well("topic", what)];
    }
    let check = |finding: topic::Finding| Check::doubtful("topic", finding.what, finding.remedy);
    findings.into_iter().map(check).collect()
}

/// How far back a replay reaches.
fn history(topic: &Topic, settings: &Settings) -> Check {
    match topic::history_findings(topic, settings) {
        Some(finding) => Check::doubtful("history", finding.what, finding.remedy),
        None => Check::well("history", topic::history(topic, settings)),
    }
}
