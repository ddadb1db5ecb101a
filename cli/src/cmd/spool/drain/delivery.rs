//! What Kafka says about each record.

use std::sync::{Mutex, MutexGuard, PoisonError};

use postback_service::kafka::is_refused_for_itself;
use postback_service::kafka::rdkafka::ClientContext;
use postback_service::kafka::rdkafka::config::RDKafkaLogLevel;
use postback_service::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use postback_service::kafka::rdkafka::message::DeliveryResult;
use postback_service::kafka::rdkafka::producer::ProducerContext;
use postback_spool::{Position, SetAsideError};

use super::window::Word;

/// Collects delivery reports until they are asked for.
#[derive(Debug, Default)]
pub(super) struct Reports {
    heard: Mutex<Vec<(Position, Result<(), KafkaError>)>>,
    /// The last trouble that librdkafka told of, in its words.
    trouble: Mutex<Option<String>>,
}

impl Reports {
    /// What was heard since the last call.
    pub(super) fn take(&self) -> Vec<(Position, Result<(), KafkaError>)> {
        std::mem::take(&mut locked(&self.heard))
    }

    /// Adds what is known without asking Kafka.
    pub(super) fn add(&self, position: Position, result: Result<(), KafkaError>) {
        locked(&self.heard).push((position, result));
    }

    pub(super) fn trouble(&self) -> Option<String> {
        locked(&self.trouble).clone()
    }
}

impl ClientContext for Reports {
    /// What matters comes as an error or a report too.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        // "All brokers are down" comes last and says least.
        let sums_up = error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        let mut trouble = locked(&self.trouble);
        if !sums_up || trouble.is_none() {
            *trouble = Some(reason.to_owned());
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Position>;

    fn delivery(&self, result: &DeliveryResult<'_>, position: Box<Position>) {
        let result = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.clone()),
        };
        self.add(*position, result);
    }
}

/// What a failed delivery means: something about the record, or, as an error, a reason to stop.
pub(super) fn judge(error: &KafkaError) -> Result<Word, Halt> {
    if is_refused_for_itself(error) {
        return Ok(Word::Refused(error.to_string()));
    }
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed,
        ) => Err(Halt::Denied(error.to_string())),
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
            Err(Halt::NoTopic)
        }
        Some(RDKafkaErrorCode::Fatal) => Err(Halt::Fatal(error.to_string())),
        _ => Ok(Word::Unknown),
    }
}

/// Why it makes no sense to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Halt {
    /// Nothing was confirmed for a while; librdkafka's words.
    Away(String),
    Denied(String),
    NoTopic,
    /// librdkafka's producer is of no use any more.
    Fatal(String),
    /// A record that Kafka refuses could not be set aside.
    SetAside(SetAsideError),
}

/// A thread that panicked while it held the lock left a whole value behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
