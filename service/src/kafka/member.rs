//! How records are consumed in a group.

use postback_common::config::{ConsumerSettings, KafkaSettings};
use rdkafka::ClientConfig;

use super::{client_config, set_unless_given};

/// Bytes of refusals that are fetched at once, unless a single record may have more.
const REFUSALS_FETCHED: u32 = 1 << 20;

/// What a member of a group begins with. The operator's `kafka.options` win over what is merely a
/// good value.
#[must_use]
pub fn member_config(
    kafka: &KafkaSettings,
    consumer: &ConsumerSettings,
    group: &str,
) -> ClientConfig {
    let config = client_config(kafka, "postback-consumer");
    member(config, consumer, group)
}

/// The same for the member that loads refusals: they are few and small, and a MiB at once is plenty.
#[must_use]
pub fn refusals_member_config(
    kafka: &KafkaSettings,
    consumer: &ConsumerSettings,
    group: &str,
) -> ClientConfig {
    let mut config = client_config(kafka, "postback-consumer-refusals");
    // librdkafka refuses to fetch less at once than a record may have.
    let longest = config.get("message.max.bytes");
    let longest = longest.and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    let fetched = longest.max(REFUSALS_FETCHED).to_string();
    set_unless_given(&mut config, [("fetch.max.bytes", fetched.as_str())]);
    member(config, consumer, group)
}

fn member(mut config: ClientConfig, consumer: &ConsumerSettings, group: &str) -> ClientConfig {
    let measured = [
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
        ("fetch.message.max.bytes", "131072"),
        // Room for that much of 128 partitions of one broker. Whenever its queue was full, librdkafka
        // asks for the partitions in the same order: those that find no room would wait until the others
        // have nothing left.
        ("fetch.max.bytes", "16777216"),
        // librdkafka's second would be a pause in every catching up.
        ("fetch.queue.backoff.ms", "10"),
        // Partitions that were added have nobody until then, which also holds up the switch of readers;
        // and a topic that is deleted and made again is found soon. Five minutes are librdkafka's own.
        ("topic.metadata.refresh.interval.ms", "30000"),
    ];
    set_unless_given(&mut config, measured);
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

    #[test]
    fn refusals_are_fetched_in_small_portions_unless_the_operator_says_otherwise() {
        for (options, fetched, queued, client) in [
            ("", "1048576", "2048", "postback-consumer-refusals"),
            (
                "\"message.max.bytes\" = 2000000",
                "2000000",
                "2048",
                "postback-consumer-refusals",
            ),
            (
                "\"fetch.max.bytes\" = 3000000\n\"queued.max.messages.kbytes\" = 512\n\"client.id\" = \"theirs\"",
                "3000000",
                "512",
                "theirs",
            ),
        ] {
            let text = format!("[kafka]\nbrokers = \"a:1\"\n[kafka.options]\n{options}\n");
            let settings = postback_common::config::read(Path::new("t.toml"), &text, []).unwrap();
            let config = refusals_member_config(&settings.kafka, &settings.consumer, "g-refused");
            for (option, value) in [
                ("group.id", "g-refused"),
                ("enable.auto.commit", "false"),
                ("fetch.max.bytes", fetched),
                ("queued.max.messages.kbytes", queued),
                ("client.id", client),
            ] {
                assert_eq!(config.get(option), Some(value), "{option}: {options}");
            }
        }
    }
}
