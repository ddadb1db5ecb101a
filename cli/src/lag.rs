//! How far our consumer groups are behind their topics.

use postback_common::config::Settings;
use postback_service::kafka::lag;
pub(crate) use postback_service::kafka::{GroupLag, PartitionLag};
use postback_store::Generation;

/// Asks Kafka for the group that loads `generation`. Its words when it does not answer.
pub(crate) async fn of_generation(
    settings: &Settings,
    generation: Generation,
) -> Result<GroupLag, String> {
    let group = generation.consumer_group(&settings.consumer.group);
    lag(&settings.kafka, &settings.kafka.topic, group).await
}

/// Asks Kafka for the group that loads refusals. Its words when it does not answer.
pub(crate) async fn of_refusals(settings: &Settings) -> Result<GroupLag, String> {
    let group = settings.consumer.refused_group();
    lag(&settings.kafka, &settings.kafka.refused_topic, group).await
}
