//! Raw records on their way to Kafka, each until Kafka has confirmed it.
//!
//! A delivery that failed for an unknown reason is sent again: the record may be there already, and
//! what comes twice with one id counts once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use postback_common::config::Settings;
use rdkafka::config::FromClientConfig as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::future_producer::OwnedDeliveryResult;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};

use super::{explain, is_refused_for_itself, producer_config};
use crate::topic::{self, Purpose, TopicError};

/// Records on their way at once.
const WINDOW: usize = 5_000;

/// How long Kafka may confirm nothing while records are on their way. Longer than an election of a
/// new leader takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pause before a full queue, or a broker that is away, is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Why records do not get to Kafka.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The topic cannot be asked for.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// There is no such topic.
    #[error("there is no topic {0}")]
    NoTopic(String),
    /// librdkafka refuses the configuration.
    #[error("Kafka's client cannot be made: {0}")]
    Options(String),
    /// A record is refused for itself.
    #[error("Kafka refuses a record: {0}")]
    Record(String),
    /// This user may not write.
    #[error("Kafka refuses to write: {0}")]
    Denied(String),
    /// Nothing is confirmed any more.
    #[error("Kafka at {brokers} does not confirm: {cause}")]
    Silent {
        /// As configured.
        brokers: String,
        /// librdkafka's words.
        cause: String,
    },
    /// The client is of no more use.
    #[error("Kafka's client gave up: {0}")]
    GaveUp(String),
}

impl PublishError {
    /// The machine-readable tag.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Topic(error) => error.code(),
            Self::NoTopic(_) => "kafka_no_topic",
            Self::Options(_) => "kafka_options",
            Self::Record(_) => "kafka_refuses_record",
            Self::Denied(_) => "kafka_denied",
            Self::Silent { .. } => "kafka_silent",
            Self::GaveUp(_) => "kafka_gave_up",
        }
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Topic(error) => return error.remedy(),
            Self::NoTopic(_) => "run `postback migrate`",
            Self::Options(_) => "correct [kafka.options]",
            Self::Record(_) => {
                "raise max.message.bytes of the topic (see `postback doctor`); run it again"
            }
            Self::Denied(_) => "allow the user in kafka.options to Write the topic; run it again",
            Self::Silent { .. } => "bring Kafka back; run it again",
            Self::GaveUp(_) => "run it again",
        }
        .to_owned()
    }
}

/// Sends raw records, several at once, and knows when Kafka has confirmed them.
pub struct Publisher {
    producer: FutureProducer,
    topic: String,
    brokers: String,
    window: VecDeque<DeliveryFuture>,
    last_word: Instant,
    /// Why a record did not get there. What was handed over with it is no longer known, so that from
    /// then on nothing counts as confirmed.
    failed: Option<PublishError>,
}

impl Publisher {
    /// Makes a producer, once Kafka answers and has the topic. `client` names it in the broker's logs.
    ///
    /// # Errors
    /// Where it cannot be made, or the topic is not there.
    pub async fn open(settings: &Settings, client: &str) -> Result<Self, PublishError> {
        if !topic::exists(&settings.kafka, Purpose::Raw).await? {
            return Err(PublishError::NoTopic(settings.kafka.topic.clone()));
        }
        let mut config = producer_config(settings, client);
        // Nobody reads its figures here, and rdkafka would log them.
        config.set("statistics.interval.ms", "0");
        let producer = FutureProducer::from_config(&config);
        let producer =
            producer.map_err(|error| PublishError::Options(explain(&settings.kafka, &error)))?;
        Ok(Self {
            producer,
            topic: settings.kafka.topic.clone(),
            brokers: settings.kafka.brokers.join(", "),
            window: VecDeque::with_capacity(WINDOW),
            last_word: Instant::now(),
            failed: None,
        })
    }

    /// Hands a record over; waits while too many are on their way.
    ///
    /// # Errors
    /// Where Kafka refuses a record, this one or one before, or confirms nothing for a minute. What
    /// failed once fails ever after.
    pub async fn send(&mut self, record: &[u8]) -> Result<(), PublishError> {
        self.usable()?;
        if self.window.is_empty() {
            self.last_word = Instant::now();
        }
        let mut sent = self.shrink_window(WINDOW - 1).await;
        if sent.is_ok() {
            sent = self.produce(record).await;
        }
        self.remember(sent)
    }

    /// Waits until Kafka has confirmed everything.
    ///
    /// # Errors
    /// As [`Publisher::send`].
    pub async fn flush(&mut self) -> Result<(), PublishError> {
        self.usable()?;
        let flushed = self.shrink_window(0).await;
        self.remember(flushed)
    }

    fn usable(&self) -> Result<(), PublishError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn remember(&mut self, done: Result<(), PublishError>) -> Result<(), PublishError> {
        self.failed = done.clone().err();
        done
    }

    /// Waits until no more than so many are on their way.
    async fn shrink_window(&mut self, most: usize) -> Result<(), PublishError> {
        while self.window.len() > most {
            self.hear_oldest().await?;
        }
        Ok(())
    }

    async fn produce(&mut self, record: &[u8]) -> Result<(), PublishError> {
        loop {
            let message = FutureRecord::<(), [u8]>::to(&self.topic).payload(record);
            match self.producer.send_result(message) {
                Ok(delivery) => {
                    self.window.push_back(delivery);
                    return Ok(());
                }
                Err((error, _)) => self.judge(&error)?,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn hear_oldest(&mut self) -> Result<(), PublishError> {
        let Some(delivery) = self.window.pop_front() else {
            return Ok(());
        };
        let heard: Option<OwnedDeliveryResult> = delivery.await.ok();
        match heard {
            Some(Ok(_)) => {
                self.last_word = Instant::now();
                Ok(())
            }
            Some(Err((error, message))) => {
                self.judge(&error)?;
                tokio::time::sleep(PAUSE).await;
                self.produce(message.payload().unwrap_or_default()).await
            }
            None => Err(PublishError::GaveUp("it was closed".to_owned())),
        }
    }

    /// Nothing where trying again can help, for as long as it may.
    fn judge(&self, error: &KafkaError) -> Result<(), PublishError> {
        if is_refused_for_itself(error) {
            return Err(PublishError::Record(error.to_string()));
        }
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed,
            ) => Err(PublishError::Denied(error.to_string())),
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                Err(PublishError::NoTopic(self.topic.clone()))
            }
            Some(RDKafkaErrorCode::Fatal) => Err(PublishError::GaveUp(error.to_string())),
            _ if self.last_word.elapsed() < PATIENCE => Ok(()),
            _ => Err(PublishError::Silent {
                brokers: self.brokers.clone(),
                cause: error.to_string(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rdkafka::ClientConfig;
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn who_may_write_and_not_see_the_settings_can_publish() {
        // It describes no settings.
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("here", 1, 1).unwrap();
        let open = |topic: &str| {
            let brokers = cluster.bootstrap_servers();
            let text = format!("[kafka]\nbrokers = \"{brokers}\"\ntopic = \"{topic}\"\n");
            let settings = postback_common::config::read(Path::new("t.toml"), &text, []).unwrap();
            async move { Publisher::open(&settings, "postback-import").await }
        };
        let mut publisher = open("here").await.unwrap();
        publisher.send(b"one").await.unwrap();
        publisher.flush().await.unwrap();
        let missing = open("elsewhere").await.err().unwrap();
        assert_eq!(missing, PublishError::NoTopic("elsewhere".to_owned()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_lost_once_is_not_confirmed_later() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .create()
            .unwrap();
        let mut publisher = Publisher {
            producer,
            topic: "t".to_owned(),
            brokers: cluster.bootstrap_servers(),
            window: VecDeque::new(),
            last_word: Instant::now(),
            failed: None,
        };
        publisher.send(b"one").await.unwrap();
        publisher.flush().await.unwrap();

        let refuses = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE];
        cluster.request_errors(RDKafkaApiKey::Produce, &refuses);
        publisher.send(b"two").await.unwrap();
        let refused = publisher.flush().await.unwrap_err();
        assert_eq!(refused.reason(), "kafka_refuses_record");
        // Nothing is on its way any more, and yet not all that was sent is there.
        assert!(publisher.window.is_empty());
        assert_eq!(publisher.flush().await, Err(refused.clone()));
        assert_eq!(publisher.send(b"three").await, Err(refused));
    }
}
