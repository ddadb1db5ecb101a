//! Raw records on their way to Kafka, each until Kafka has confirmed it.
//!
//! A delivery that failed for an unknown reason is sent again: the record may be there already, and
//! what comes twice with one id counts once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use postback_common::config::Settings;
use postback_service::kafka::rdkafka::config::FromClientConfig as _;
use postback_service::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use postback_service::kafka::rdkafka::message::Message as _;
use postback_service::kafka::rdkafka::producer::future_producer::OwnedDeliveryResult;
use postback_service::kafka::rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use postback_service::kafka::{explain, is_refused_for_itself, producer_config};
use postback_service::topic::{self, Purpose, TopicState};

use crate::servers::Trouble;

/// Records on their way at once.
const WINDOW: usize = 5_000;

/// How long Kafka may confirm nothing while records are on their way. Longer than an election of a
/// new leader takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pause before a full queue, or a broker that is away, is tried again.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Publisher {
    producer: FutureProducer,
    topic: String,
    brokers: String,
    window: VecDeque<DeliveryFuture>,
    last_word: Instant,
}

impl Publisher {
    /// Makes a producer, once Kafka answers and has the topic.
    pub(crate) async fn open(settings: &Settings, client: &str) -> Result<Self, Trouble> {
        match topic::inspect(&settings.kafka, Purpose::Raw).await {
            Ok(TopicState::Present(_)) => {}
            Ok(TopicState::Missing { .. }) => {
                let what = format!("there is no topic {}", settings.kafka.topic);
                return Err(Trouble::new(what, "run `postback migrate`"));
            }
            Err(error) => return Err(Trouble::of_kafka(&error)),
        }
        let producer = FutureProducer::from_config(&producer_config(settings, client));
        let producer = producer.map_err(|error| {
            let words = explain(&settings.kafka, &error);
            let what = format!("Kafka's client cannot be made: {words}");
            Trouble::new(what, "correct [kafka.options]")
        })?;
        Ok(Self {
            producer,
            topic: settings.kafka.topic.clone(),
            brokers: settings.kafka.brokers.join(", "),
            window: VecDeque::with_capacity(WINDOW),
            last_word: Instant::now(),
        })
    }

    /// Hands a record over; waits while too many are on their way.
    pub(crate) async fn send(&mut self, record: &[u8]) -> Result<(), Trouble> {
        if self.window.is_empty() {
            self.last_word = Instant::now();
        }
        while self.window.len() >= WINDOW {
            self.hear_oldest().await?;
        }
        self.produce(record).await
    }

    /// Waits until Kafka has confirmed everything.
    pub(crate) async fn flush(&mut self) -> Result<(), Trouble> {
        while !self.window.is_empty() {
            self.hear_oldest().await?;
        }
        Ok(())
    }

    async fn produce(&mut self, record: &[u8]) -> Result<(), Trouble> {
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

    async fn hear_oldest(&mut self) -> Result<(), Trouble> {
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
            None => Err(self.gave_up("it was closed")),
        }
    }

    /// Nothing where trying again can help, for as long as it may.
    fn judge(&self, error: &KafkaError) -> Result<(), Trouble> {
        if is_refused_for_itself(error) {
            let what = format!("Kafka refuses a record: {error}");
            let remedy =
                "raise max.message.bytes of the topic (see `postback doctor`); run it again";
            return Err(Trouble::new(what, remedy));
        }
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed,
            ) => {
                let what = format!("Kafka refuses to write: {error}");
                let remedy = "allow the user in kafka.options to Write the topic; run it again";
                Err(Trouble::new(what, remedy))
            }
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                let what = format!("there is no topic {}", self.topic);
                Err(Trouble::new(what, "run `postback migrate`"))
            }
            Some(RDKafkaErrorCode::Fatal) => Err(self.gave_up(error)),
            _ if self.last_word.elapsed() < PATIENCE => Ok(()),
            _ => {
                let what = format!("Kafka at {} does not confirm: {error}", self.brokers);
                Err(Trouble::new(what, "bring Kafka back; run it again"))
            }
        }
    }

    fn gave_up(&self, words: impl std::fmt::Display) -> Trouble {
        Trouble::new(format!("Kafka's client gave up: {words}"), "run it again")
    }
}
