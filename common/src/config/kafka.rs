//! `[kafka]`

use std::path::Path;

use serde::{Serialize, Serializer};

use super::Ordered;
use super::fault::{Fault, FaultCode};
use super::secret::read_secret;
use super::section::Section;
use crate::secret::{HIDDEN, Secret};

/// How to reach Kafka, and how the topics are made.
#[derive(Debug, Clone, Serialize)]
pub struct KafkaSettings {
    /// `host:port` of the brokers to begin with. Required.
    pub brokers: Vec<String>,
    /// Topic of the raw records. Default `postbacks.raw`.
    pub topic: String,
    /// Topic of the traces of refused requests. Default `postbacks.refused`; another one than `topic`.
    pub refused_topic: String,
    /// Partitions of `topic` when `migrate` makes it. Default 12.
    pub partitions: u32,
    /// Replicas of each partition when `migrate` makes the topic; `None`: 3, or as many brokers as
    /// there are when fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_factor: Option<u16>,
    /// Days that Kafka keeps raw records, which is how far a replay from Kafka reaches. Default 30.
    pub retention_days: u32,
    /// Passed on to librdkafka as they are: TLS, SASL and tuning.
    pub options: Ordered<KafkaOption>,
}

/// The value of a librdkafka option. Hidden where the option's name says that it is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaOption {
    value: Secret,
    hidden: bool,
}

impl KafkaOption {
    /// The value, for librdkafka.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.value.expose()
    }

    /// True when the option's name says that its value is a secret.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        self.hidden
    }
}

impl Serialize for KafkaOption {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.hidden {
            HIDDEN
        } else {
            self.value.expose()
        })
    }
}

/// Options that a promise rests on.
const OURS: &[&str] = &[
    "acks",
    "request.required.acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "bootstrap.servers",
    "metadata.broker.list",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "group.instance.id",
    "message.timeout.ms",
    "partition.assignment.strategy",
    "statistics.interval.ms",
];

impl KafkaSettings {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let brokers = section.list("brokers").unwrap_or_default();
        if brokers.is_empty() {
            section.missing(
                "brokers",
                "give the brokers to begin with, such as brokers = \"127.0.0.1:9092\"",
            );
        }
        let mut topic = |key, default: &str| {
            let remedy = "use letters, digits, '.', '_' and '-', at most 249";
            let given = section.checked(key, remedy, topic_name);
            given.unwrap_or_else(|| default.to_owned())
        };
        let (raw, refused) = (
            topic("topic", "postbacks.raw"),
            topic("refused_topic", "postbacks.refused"),
        );
        if raw == refused {
            let fault = Fault::new(
                FaultCode::Contradiction,
                "kafka.refused_topic",
                "the same as kafka.topic: refusals would stand among the postbacks",
                "give it another name",
            );
            section.refuse(fault.with_value(format_args!("{refused:?}")));
        }
        Self {
            brokers,
            topic: raw,
            refused_topic: refused,
            partitions: section.number("partitions", 12, 1..=10_000),
            replication_factor: section.optional_number("replication_factor", 1..=32),
            retention_days: section.number("retention_days", 30, 1..=36_500),
            options: options(section),
        }
    }
}

/// Kafka's rule for topic names (`org.apache.kafka.common.internals.Topic`).
fn topic_name(text: &str) -> Result<String, &'static str> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=249).contains(&text.len()) && text.bytes().all(legal) && text != "." && text != ".." {
        Ok(text.to_owned())
    } else {
        Err("Kafka has no topic of such a name")
    }
}

fn options(section: &mut Section<'_>) -> Ordered<KafkaOption> {
    let mut options = Ordered::new();
    for (name, option, text) in section.texts("options") {
        if OURS.contains(&option.as_str()) {
            let remedy = "remove it: Postback sets it itself, because a promise rests on it";
            section.refuse(Fault::new(
                FaultCode::BadValue,
                &name,
                "cannot be set",
                remedy,
            ));
            continue;
        }
        let hidden = is_secret(&option);
        let (option, value) = match option.strip_suffix("_file") {
            Some(stem) if is_secret(stem) => (
                stem.to_owned(),
                read_secret(Path::new(&text), &name, section.faults()),
            ),
            _ => (option, Some(Secret::new(text))),
        };
        if let Some(value) = value {
            options.insert(option, KafkaOption { value, hidden });
        }
    }
    options
}

/// By name, and rather one too many. librdkafka's CONFIGURATION.md lists `sasl.password`,
/// `ssl.key.password`, `ssl.keystore.password`, `ssl.key.pem`, `sasl.oauthbearer.client.secret`,
/// `sasl.oauthbearer.config`, and more by plugins.
fn is_secret(option: &str) -> bool {
    [
        "password",
        "secret",
        "pem",
        "token",
        "credential",
        "assertion",
        "oauthbearer.config",
        "jaas",
    ]
    .iter()
    .any(|word| option.contains(word))
}
