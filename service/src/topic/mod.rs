//! The topics of raw records and of refusals: whether they are there, what about them is not safe,
//! and making them.
//!
//! All functions ask the brokers anew, over a connection of their own, and answer within about
//! [`WITHIN`]; none of them is for the path of a request.

mod cluster;
mod error;
mod findings;
mod history;
mod making;
mod wanted;

use std::collections::BTreeMap;
use std::time::Duration;

pub use error::TopicError;
pub use findings::{Finding, findings};
pub use history::{Kept, history, history_findings};
pub use making::{Ensured, ensure};
pub use postback_common::config::record_bytes_max;

use postback_common::config::KafkaSettings;

use cluster::Cluster;

/// How long the brokers get to answer.
pub const WITHIN: Duration = Duration::from_secs(10);

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Raw records, on which every promise rests: `kafka.topic`.
    Raw,
    /// Traces of refused requests: `kafka.refused_topic`.
    Refused,
}

impl Purpose {
    /// The name of the topic.
    #[must_use]
    pub fn topic(self, settings: &KafkaSettings) -> &str {
        match self {
            Self::Raw => &settings.topic,
            Self::Refused => &settings.refused_topic,
        }
    }
}

/// The topic as the brokers describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicState {
    /// The brokers answer, and there is no such topic.
    Missing {
        /// Brokers of the cluster.
        brokers: usize,
    },
    /// It exists.
    Present(Topic),
}

/// An existing topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Brokers of the cluster.
    pub brokers: usize,
    /// Its partitions.
    pub partitions: usize,
    /// Replicas of the partition that has fewest.
    pub replication: usize,
    /// Every setting as it holds now, inherited ones included, under Kafka's names.
    pub configs: BTreeMap<String, String>,
}

/// Whether there is such a topic. Unlike [`inspect`] it needs no right to see the topic's settings:
/// who writes has what it takes.
///
/// # Errors
/// [`TopicError`]: no broker answers, or this user may not see the topic.
pub async fn exists(settings: &KafkaSettings, purpose: Purpose) -> Result<bool, TopicError> {
    let overview = Cluster::connect(settings, purpose)?.overview().await?;
    Ok(overview.topic.is_some())
}

/// Asks the brokers for the topic and its settings.
///
/// # Errors
/// [`TopicError`]: no broker answers, or this user may not see the topic's settings.
pub async fn inspect(settings: &KafkaSettings, purpose: Purpose) -> Result<TopicState, TopicError> {
    Cluster::connect(settings, purpose)?.inspect().await
}
