//! What about an existing topic is not safe.

use std::fmt;
use std::ops::Deref;

use postback_common::config::Settings;

use super::wanted::Wanted;
use super::{Purpose, Topic};

/// One thing about the topic on which a promise cannot rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The machine-readable tag.
    pub code: &'static str,
    /// What is found, with its value, and what may come of it.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// A topic, and where the commands that mend it find the brokers.
struct Judged<'a> {
    topic: &'a Topic,
    servers: String,
}

impl Deref for Judged<'_> {
    type Target = Topic;

    fn deref(&self) -> &Topic {
        self.topic
    }
}

/// Everything about `topic` that is not as the promises need it; empty when all is well. Settings
/// that the brokers did not tell are not judged.
#[must_use]
pub fn findings(topic: &Topic, settings: &Settings, purpose: Purpose) -> Vec<Finding> {
    let wanted = Wanted::of(settings, purpose, topic.brokers);
    let topic = &Judged {
        topic,
        servers: settings.kafka.brokers.join(","),
    };
    if purpose == Purpose::Refused {
        // Nothing is promised of it, but what compaction or size takes away tells nobody anything.
        let checks = [cleanup(topic), timestamps(topic)];
        return checks.into_iter().flatten().collect();
    }
    let checks = [
        replication(topic, &wanted),
        partitions(topic, &wanted),
        min_insync(topic),
        flush(topic),
        unclean(topic),
        cleanup(topic),
        retention(topic, &wanted),
        retention_bytes(topic),
        timestamps(topic),
        message_bytes(topic, &wanted),
    ];
    checks.into_iter().flatten().collect()
}

fn replication(topic: &Judged<'_>, wanted: &Wanted) -> Option<Finding> {
    let enough = wanted.replication.max(topic.brokers.min(3));
    (topic.replication < enough).then(|| Finding {
        code: "replication_too_low",
        what: format!(
            "topic {} keeps {} replica(s) on a cluster of {} broker(s): losing a disk can lose acknowledged postbacks",
            topic.name, topic.replication, topic.brokers
        ),
        remedy: format!(
            "raise it to {enough} with kafka-reassign-partitions --bootstrap-server {}",
            topic.servers
        ),
    })
}

fn partitions(topic: &Judged<'_>, wanted: &Wanted) -> Option<Finding> {
    (topic.partitions < wanted.partitions).then(|| Finding {
        code: "too_few_partitions",
        what: format!(
            "topic {} has {} partition(s), kafka.partitions says {}",
            topic.name, topic.partitions, wanted.partitions
        ),
        remedy: format!(
            "kafka-topics --bootstrap-server {} --alter --topic {} --partitions {}, or lower kafka.partitions",
            topic.servers, topic.name, wanted.partitions
        ),
    })
}

fn min_insync(topic: &Judged<'_>) -> Option<Finding> {
    let least = number(topic, "min.insync.replicas")?;
    (topic.replication >= 2 && least < 2).then(|| {
        let harm = "a postback is acknowledged when a single broker has it";
        setting(
            topic,
            "min_insync_too_low",
            "min.insync.replicas",
            harm,
            "2",
        )
    })
}

fn flush(topic: &Judged<'_>) -> Option<Finding> {
    let each = number(topic, "flush.messages")?;
    (topic.replication == 1 && each != 1).then(|| {
        let harm = "with a single replica, a power cut loses acknowledged postbacks";
        setting(topic, "not_flushed", "flush.messages", harm, "1")
    })
}

fn unclean(topic: &Judged<'_>) -> Option<Finding> {
    let key = "unclean.leader.election.enable";
    (topic.configs.get(key)? == "true").then(|| {
        let harm = "a replica that lags may become leader, and what it lacks is lost";
        setting(topic, "unclean_election", key, harm, "false")
    })
}

fn cleanup(topic: &Judged<'_>) -> Option<Finding> {
    let key = "cleanup.policy";
    (topic.configs.get(key)? != "delete").then(|| {
        let harm = "records have no key, so compaction refuses or drops them";
        setting(topic, "cleanup_policy", key, harm, "delete")
    })
}

fn retention(topic: &Judged<'_>, wanted: &Wanted) -> Option<Finding> {
    let key = "retention.ms";
    // -1 is for ever.
    let kept = u64::try_from(number(topic, key)?).unwrap_or(u64::MAX);
    (kept < wanted.retention_ms).then(|| {
        let harm = "Kafka forgets records sooner than kafka.retention_days promises";
        let least = wanted.retention_ms.to_string();
        setting(topic, "retention_too_short", key, harm, &least)
    })
}

fn retention_bytes(topic: &Judged<'_>) -> Option<Finding> {
    let key = "retention.bytes";
    (number(topic, key)? >= 0).then(|| {
        let harm = "Kafka forgets records by size, whatever kafka.retention_days promises";
        setting(topic, "retention_bounded_by_size", key, harm, "-1")
    })
}

fn timestamps(topic: &Judged<'_>) -> Option<Finding> {
    let key = "message.timestamp.type";
    (topic.configs.get(key)? != "LogAppendTime").then(|| {
        let harm = "a clock that runs ahead makes the broker refuse records";
        setting(topic, "timestamp_type", key, harm, "LogAppendTime")
    })
}

fn message_bytes(topic: &Judged<'_>, wanted: &Wanted) -> Option<Finding> {
    let key = "max.message.bytes";
    let most = usize::try_from(number(topic, key)?).unwrap_or(0);
    (most < wanted.message_bytes).then(|| {
        let harm = "Kafka may refuse the largest postbacks that ingest lets in";
        let least = wanted.message_bytes.to_string();
        setting(topic, "message_bytes_too_low", key, harm, &least)
    })
}

fn number(topic: &Judged<'_>, key: &str) -> Option<i64> {
    topic.configs.get(key)?.parse().ok()
}

/// A setting that is not as it should be, and the command that mends it.
fn setting(topic: &Judged<'_>, code: &'static str, key: &str, harm: &str, good: &str) -> Finding {
    let (name, servers) = (&topic.name, &topic.servers);
    let value = topic.configs.get(key).map_or("", String::as_str);
    Finding {
        code,
        what: format!("topic {name} has {key}={value}: {harm}"),
        remedy: format!(
            "kafka-configs --bootstrap-server {servers} --alter --entity-type topics --entity-name {name} \
             --add-config {key}={good}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn settings() -> Settings {
        let text = "[kafka]\nbrokers = \"b:1\"\npartitions = 12\nretention_days = 30\n";
        postback_common::config::read(Path::new("t.toml"), text, []).unwrap()
    }

    /// What `ensure` would make on that many brokers.
    fn safe(brokers: usize) -> Topic {
        made(Purpose::Raw, brokers)
    }

    fn made(purpose: Purpose, brokers: usize) -> Topic {
        let wanted = Wanted::of(&settings(), purpose, brokers);
        let mut configs: BTreeMap<String, String> = wanted
            .configs()
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        configs.insert("unclean.leader.election.enable".into(), "false".into());
        Topic {
            name: "postbacks.raw".into(),
            brokers,
            partitions: wanted.partitions,
            replication: wanted.replication,
            configs,
        }
    }

    fn codes(topic: &Topic) -> Vec<&'static str> {
        let found = findings(topic, &settings(), Purpose::Raw);
        found.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_topic_is_wanted_with_the_contracts_settings() {
        let three = safe(3);
        assert_eq!((three.partitions, three.replication), (12, 3));
        let expected = [
            ("cleanup.policy", "delete"),
            // Six bytes for each of 16,384 + 65,536, and 128 KiB: below Kafka's own default.
            ("max.message.bytes", "1048588"),
            ("message.timestamp.type", "LogAppendTime"),
            ("min.insync.replicas", "2"),
            ("retention.bytes", "-1"),
            ("retention.ms", "2592000000"),
            ("unclean.leader.election.enable", "false"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(three.configs, BTreeMap::from(expected));
        let one = safe(1);
        assert_eq!(one.replication, 1);
        assert_eq!(one.configs["min.insync.replicas"], "1");
        assert_eq!(one.configs["flush.messages"], "1");
        assert_eq!(safe(5).replication, 3);
    }

    #[test]
    fn the_topic_of_refusals_is_small_and_only_its_traces_matter() {
        let three = made(Purpose::Refused, 3);
        assert_eq!((three.partitions, three.replication), (1, 3));
        for (key, value) in [
            ("cleanup.policy", "delete"),
            ("message.timestamp.type", "LogAppendTime"),
            ("min.insync.replicas", "1"),
            ("retention.ms", "1209600000"),
        ] {
            assert_eq!(three.configs[key], value, "{key}");
        }
        assert!(
            !made(Purpose::Refused, 1)
                .configs
                .contains_key("flush.messages")
        );
        for brokers in 1..=3 {
            let topic = made(Purpose::Refused, brokers);
            assert_eq!(findings(&topic, &settings(), Purpose::Refused), []);
        }
        let mut compacted = three;
        compacted
            .configs
            .insert("cleanup.policy".into(), "compact".into());
        let found = findings(&compacted, &settings(), Purpose::Refused);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, "cleanup_policy");
    }

    #[test]
    fn what_is_wanted_is_safe_but_for_two_brokers() {
        assert_eq!(codes(&safe(1)), [""; 0]);
        assert_eq!(codes(&safe(3)), [""; 0]);
        // Two replicas cannot both survive a loss and wait for a second confirmation.
        assert_eq!(codes(&safe(2)), ["min_insync_too_low"]);
    }

    #[test]
    fn each_unsafe_setting_is_found_alone() {
        let cases = [
            ("min.insync.replicas", "1", "min_insync_too_low"),
            ("unclean.leader.election.enable", "true", "unclean_election"),
            ("cleanup.policy", "compact,delete", "cleanup_policy"),
            ("retention.ms", "2591999999", "retention_too_short"),
            ("retention.bytes", "1073741824", "retention_bounded_by_size"),
            ("message.timestamp.type", "CreateTime", "timestamp_type"),
            ("max.message.bytes", "1048587", "message_bytes_too_low"),
        ];
        for (key, value, code) in cases {
            let mut topic = safe(3);
            topic.configs.insert(key.into(), value.into());
            assert_eq!(codes(&topic), [code], "{key}={value}");
            let finding = findings(&topic, &settings(), Purpose::Raw).remove(0);
            assert!(
                finding.what.contains(&format!("{key}={value}")),
                "{finding}"
            );
            let whole = "kafka-configs --bootstrap-server b:1 --alter --entity-type topics \
                         --entity-name postbacks.raw --add-config ";
            assert!(finding.remedy.starts_with(whole), "{finding}");
        }
        let mut for_ever = safe(3);
        for_ever.configs.insert("retention.ms".into(), "-1".into());
        assert_eq!(codes(&for_ever), [""; 0]);
    }

    #[test]
    fn too_few_replicas_or_partitions_are_found() {
        let lone = Topic {
            replication: 1,
            ..safe(3)
        };
        assert_eq!(codes(&lone), ["replication_too_low"]);
        let unflushed = Topic {
            configs: BTreeMap::from([("flush.messages".into(), "9223372036854775807".into())]),
            ..safe(1)
        };
        assert_eq!(codes(&unflushed), ["not_flushed"]);
        let narrow = Topic {
            partitions: 11,
            ..safe(1)
        };
        assert_eq!(codes(&narrow), ["too_few_partitions"]);
        let finding = findings(&narrow, &settings(), Purpose::Raw).remove(0);
        assert!(
            finding.remedy.starts_with(
                "kafka-topics --bootstrap-server b:1 --alter --topic postbacks.raw --partitions 12"
            ),
            "{finding}"
        );
    }
}
