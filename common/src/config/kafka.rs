//! `[kafka]`

use std::path::Path;

use serde::{Serialize, Serializer};

use super::Ordered;
use super::brokers;
use super::fault::{Fault, FaultCode};
use super::ingest::{IngestSettings, record_bytes_max};
use super::secret::{hidden_mark, read_secret};
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

/// Options that Postback sets itself, because a promise rests on them.
const OURS: &[&str] = &[
    "acks",
    "request.required.acks",
    "allow.auto.create.topics",
    "auto.commit.enable",
    "auto.offset.reset",
    "bootstrap.servers",
    "metadata.broker.list",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "message.timeout.ms",
    "partition.assignment.strategy",
    "statistics.interval.ms",
];

/// Options with which a promise breaks, and what they do to it.
const HARMFUL: &[(&str, &str)] = &[
    ("transactional.id", NOTHING_ARRIVES),
    (
        "enable.gapless.guarantee",
        "one late record ends the producer",
    ),
    ("message.send.max.retries", "records are given up early"),
    ("retries", "records are given up early"),
    ("topic.blacklist", "a topic that is there is not seen"),
    ("group.protocol", REBALANCES),
    ("group.protocol.type", REBALANCES),
    ("group.remote.assignor", REBALANCES),
    (
        "offset.store.method",
        "what is loaded is noted in Kafka alone",
    ),
    (
        "test.mock.num.brokers",
        "records go to a mock, not to Kafka",
    ),
    ("test.mock.broker.rtt", "it is for tests of librdkafka"),
    (
        "plugin.library.paths",
        "it loads foreign code into the process",
    ),
    (
        "internal.termination.signal",
        "it takes a signal from the program",
    ),
    ("enabled_events", "it takes its events from the program"),
    ("log.queue", "it takes its log from the program"),
];

const NOTHING_ARRIVES: &str = "records wait for a transaction, and nothing reaches Kafka";
const REBALANCES: &str = "the loader relies on the classic group protocol";

/// librdkafka's second names, and the first ones that Postback uses: given by both, chance would
/// decide which holds.
const ALIASES: &[(&str, &str)] = &[
    ("compression.codec", "compression.type"),
    ("max.in.flight.requests.per.connection", "max.in.flight"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("sasl.mechanisms", "sasl.mechanism"),
    (
        "sasl.oauthbearer.client.credentials.client.id",
        "sasl.oauthbearer.client.id",
    ),
    (
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.client.secret",
    ),
];

/// Options that name a file by themselves. In an environment variable they look like a secret that
/// stands in a file.
const PATHS: &[&str] = &[
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.jwt.template.file",
    "sasl.oauthbearer.assertion.private.key.file",
];

impl KafkaSettings {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let brokers = brokers::read(section);
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

    /// What is wrong with the longest record that librdkafka may take, if anything: a record beyond
    /// it is answered for, and never reaches Kafka.
    pub(super) fn longest(&self, ingest: &IngestSettings) -> Option<Fault> {
        let given = self.options.get("message.max.bytes")?.expose();
        let record = record_bytes_max(ingest);
        let key = "kafka.options.\"message.max.bytes\"";
        let fault = match plain_number(given) {
            Some(limit) if limit >= record => return None,
            Some(_) => Fault::new(
                FaultCode::Contradiction,
                key,
                format!(
                    "a record may have {record} bytes with ingest.max_query_bytes = {} and \
                     ingest.max_body_bytes = {}: longer ones would be answered for and never reach Kafka",
                    ingest.max_query_bytes, ingest.max_body_bytes
                ),
                format!(
                    "remove it, or give at least {record}, or lower max_query_bytes or max_body_bytes"
                ),
            ),
            None => Fault::new(
                FaultCode::BadValue,
                key,
                "must be a whole number in plain digits",
                "remove it: Postback sets it to the longest record that ingest takes",
            ),
        };
        Some(fault.with_value(format_args!("{given:?}")))
    }
}

/// A number that librdkafka reads as we do: it takes a leading zero for octal or hexadecimal, and
/// passes over what stands behind the digits.
fn plain_number(text: &str) -> Option<usize> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
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
    // By which key each was given.
    let mut given: Ordered<String> = Ordered::new();
    for (name, option, text) in section.texts("options") {
        let (option, in_file) = in_file(option);
        if let Some(fault) = forbidden(&name, &option) {
            section.refuse(fault);
            continue;
        }
        if let Some(first) = given.insert(option.clone(), name.clone()) {
            section.refuse(Fault::new(
                FaultCode::Contradiction,
                &name,
                format!("{first} is given as well"),
                "give one of the two",
            ));
            continue;
        }
        let hidden = is_secret(&option);
        let value = if in_file {
            read_secret(Path::new(&text), &name, section.faults())
        } else if hidden && text == HIDDEN {
            section.refuse(hidden_mark(&name));
            None
        } else {
            Some(Secret::new(text))
        };
        if let Some(value) = value {
            options.insert(option, KafkaOption { value, hidden });
        }
    }
    options
}

/// librdkafka's first name of an option, and whether its value stands in a file.
fn in_file(option: String) -> (String, bool) {
    let path = option
        .strip_suffix("_file")
        .map(|stem| format!("{stem}.file"));
    if let Some(path) = path.filter(|path| PATHS.contains(&path.as_str())) {
        return (path, false);
    }
    let (option, in_file) = match option.strip_suffix("_file") {
        Some(stem) if is_secret(stem) => (stem.to_owned(), true),
        _ => (option, false),
    };
    let alias = ALIASES.iter().find(|(second, _)| *second == option);
    let first = alias.map(|(_, first)| (*first).to_owned());
    (first.unwrap_or(option), in_file)
}

/// Why an option cannot be set, if it cannot.
fn forbidden(name: &str, option: &str) -> Option<Fault> {
    if OURS.contains(&option) {
        let remedy = "remove it: Postback sets it itself, because a promise rests on it";
        let fault = Fault::new(FaultCode::BadValue, name, "cannot be set", remedy);
        return Some(fault);
    }
    let (_, harm) = HARMFUL.iter().find(|(harmful, _)| *harmful == option)?;
    let problem = format!("cannot be set: {harm}");
    let remedy = "remove it: with it Postback could not keep its promises";
    Some(Fault::new(FaultCode::BadValue, name, problem, remedy))
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
