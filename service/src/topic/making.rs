//! Makes the topic where it is missing.

use std::time::{Duration, Instant};

use postback_common::config::Settings;
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use super::cluster::Cluster;
use super::wanted::Wanted;
use super::{Purpose, TopicError, WITHIN};

/// Pause before the brokers are asked again whether a new topic can be written to.
const PAUSE: Duration = Duration::from_millis(50);

/// What [`ensure`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was missing, and is there now.
    Created,
    /// It was there, and is left as it is: see [`super::findings`].
    Existed,
}

/// Makes the topic unless it exists, and waits until it can be written to. Several at once are safe:
/// one of them creates it.
///
/// `LogAppendTime`, retention as configured, `cleanup.policy=delete`, replication 3 (or as many
/// brokers as there are), `min.insync.replicas` 2 with three replicas, `flush.messages=1` with one,
/// and `max.message.bytes` for the largest record that ingest can make.
///
/// The topic of refusals has one partition, is kept for 14 days, and its replicas need not wait for
/// each other: nothing is promised of it.
///
/// # Errors
/// [`TopicError`]: no broker answers, or they refuse.
pub async fn ensure(settings: &Settings, purpose: Purpose) -> Result<Ensured, TopicError> {
    let cluster = Cluster::connect(&settings.kafka, purpose)?;
    let overview = cluster.overview().await?;
    if overview.topic.is_some() {
        return Ok(Ensured::Existed);
    }
    let ensured = create(&cluster, &Wanted::of(settings, purpose, overview.brokers)).await?;
    await_leaders(&cluster).await?;
    Ok(ensured)
}

async fn create(cluster: &Cluster, wanted: &Wanted) -> Result<Ensured, TopicError> {
    let name = &cluster.topic;
    let configs = wanted.configs();
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let replication = TopicReplication::Fixed(number(wanted.replication));
    let mut topic = NewTopic::new(name, number(wanted.partitions), replication);
    for (key, value) in &configs {
        topic = topic.set(key, value);
    }
    let answered = cluster.admin.create_topics([&topic], &Cluster::options());
    let answered = answered
        .await
        .map_err(|error| TopicError::of_admin(name, "create", &error))?;
    match answered.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(Ensured::Existed),
        Some(Err((_, code))) => Err(TopicError::of_code(name, "create", code)),
        Some(Ok(_)) | None => Ok(Ensured::Created),
    }
}

/// A topic that was just made is known to some brokers before it has leaders.
async fn await_leaders(cluster: &Cluster) -> Result<(), TopicError> {
    let begun = Instant::now();
    while !cluster.overview().await?.led {
        if begun.elapsed() > WITHIN {
            let topic = &cluster.topic;
            let code = RDKafkaErrorCode::LeaderNotAvailable;
            return Err(TopicError::of_code(topic, "create", code));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
