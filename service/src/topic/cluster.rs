//! One connection to the brokers, for questions about the topic.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postback_common::config::KafkaSettings;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigEntry, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{FromClientConfig as _, FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, NoCustomPartitioner, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, message::DeliveryResult};
use tracing::debug;

use super::{Purpose, Topic, TopicError, TopicState, WITHIN};
use crate::kafka::{client_config, explain};

/// How long reasons of a failure are taken out of librdkafka's queue: no time at all takes one
/// event, whatever it is.
const REASONS_WITHIN: Duration = Duration::from_millis(50);

pub(super) struct Cluster {
    brokers: String,
    pub(super) topic: String,
    /// Asked for metadata; unlike an admin client it says why a connection fails.
    client: Arc<BaseProducer<LastError>>,
    pub(super) admin: AdminClient<DefaultClientContext>,
}

/// What the brokers say about a topic before its settings are asked for.
pub(super) struct Overview {
    pub(super) brokers: usize,
    /// Partitions and the smallest number of replicas; `None` without the topic.
    pub(super) topic: Option<(usize, usize)>,
    /// Whether every partition has a leader, so that it can be written to.
    pub(super) led: bool,
}

impl Cluster {
    pub(super) fn connect(settings: &KafkaSettings, purpose: Purpose) -> Result<Self, TopicError> {
        let config = client_config(settings, "postback-topic");
        let wrong = |error: KafkaError| TopicError::Options(explain(settings, &error));
        let client = BaseProducer::from_config_and_context(&config, LastError::default());
        Ok(Self {
            brokers: settings.brokers.join(","),
            topic: purpose.topic(settings).to_owned(),
            client: Arc::new(client.map_err(wrong)?),
            admin: AdminClient::from_config(&config).map_err(wrong)?,
        })
    }

    pub(super) fn options() -> AdminOptions {
        AdminOptions::new()
            .request_timeout(Some(WITHIN))
            .operation_timeout(Some(WITHIN))
    }

    pub(super) async fn inspect(&self) -> Result<TopicState, TopicError> {
        let overview = self.overview().await?;
        let brokers = overview.brokers;
        let Some((partitions, replication)) = overview.topic else {
            return Ok(TopicState::Missing { brokers });
        };
        Ok(TopicState::Present(Topic {
            name: self.topic.clone(),
            brokers,
            partitions,
            replication,
            configs: self.configs().await?,
        }))
    }

    /// Librdkafka's call blocks, so it gets a thread where that is allowed.
    pub(super) async fn overview(&self) -> Result<Overview, TopicError> {
        let (client, topic) = (Arc::clone(&self.client), self.topic.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let metadata = client.client().fetch_metadata(Some(&topic), WITHIN);
            if metadata.is_err() {
                // Serves the queue in which the reason waits, mostly behind a line of its log.
                client.poll(REASONS_WITHIN);
            }
            metadata.map(|metadata| overview(&metadata, &topic))
        });
        match asked.await {
            Ok(Ok(overview)) => overview,
            Ok(Err(error)) => Err(self.unreachable(&error.to_string())),
            Err(error) => Err(self.unreachable(&error.to_string())),
        }
    }

    fn unreachable(&self, error: &str) -> TopicError {
        let reported = self.client.context().take();
        TopicError::Unreachable {
            brokers: self.brokers.clone(),
            cause: reported.unwrap_or_else(|| error.to_owned()),
        }
    }

    async fn configs(&self) -> Result<BTreeMap<String, String>, TopicError> {
        let topic = &self.topic;
        let resource = [ResourceSpecifier::Topic(topic)];
        let answered = self.admin.describe_configs(&resource, &Self::options());
        let answered = answered
            .await
            .map_err(|error| TopicError::of_admin(topic, "describe", &error))?;
        let resource = match answered.into_iter().next() {
            Some(Ok(resource)) => resource,
            Some(Err(code)) => return Err(TopicError::of_code(topic, "describe", code)),
            None => return Ok(BTreeMap::new()),
        };
        let pair = |entry: ConfigEntry| entry.value.map(|value| (entry.name, value));
        Ok(resource.entries.into_iter().filter_map(pair).collect())
    }
}

fn overview(metadata: &Metadata, name: &str) -> Result<Overview, TopicError> {
    let mut overview = Overview {
        brokers: metadata.brokers().len(),
        topic: None,
        led: false,
    };
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
        return Ok(overview);
    };
    match topic.error().map(RDKafkaErrorCode::from) {
        None | Some(RDKafkaErrorCode::LeaderNotAvailable) => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            return Ok(overview);
        }
        Some(code) => return Err(TopicError::of_code(name, "describe", code)),
    }
    let partitions = topic.partitions();
    let replication = partitions.iter().map(|p| p.replicas().len()).min();
    overview.topic = Some((partitions.len(), replication.unwrap_or(0)));
    overview.led = !partitions.is_empty()
        && partitions
            .iter()
            .all(|p| p.leader() >= 0 && p.error().is_none_or(is_replica_trouble));
    Ok(overview)
}

/// A replica that is away does not keep its partition from being written.
fn is_replica_trouble(error: RDKafkaRespErr) -> bool {
    RDKafkaErrorCode::from(error) == RDKafkaErrorCode::ReplicaNotAvailable
}

/// Keeps the reason that librdkafka gave last.
#[derive(Debug, Default)]
struct LastError(Mutex<Option<String>>);

impl LastError {
    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for LastError {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        debug!(target: "librdkafka", ?level, facility, "{text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // "All brokers are down" comes last and says least.
        let sums_up = error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        if !sums_up || last.is_none() {
            *last = Some(reason.to_owned());
        }
    }
}

impl ProducerContext<NoCustomPartitioner> for LastError {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
