//! The way to Kafka: one method, so that tests can stand in for it.

mod client;
mod delivery;
mod producer;
mod silence;
mod turns;

pub use producer::KafkaProducer;

use crate::confirmation::Waiting;

/// Takes a record and promises to say what became of it.
pub trait Producer: Send + Sync + 'static {
    /// Hands over a copy of `record`, without waiting; `waiting` is told the outcome.
    ///
    /// # Errors
    /// [`NotTaken`] when the record did not even get into the queue; `waiting` is told nothing then.
    fn offer(&self, record: &[u8], waiting: Waiting) -> Result<(), NotTaken>;
}

/// Why a record was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The queue in memory is full: Kafka has been away, or slow, for a while.
    #[error("the queue to Kafka is full")]
    QueueFull,
    /// The topic does not exist.
    #[error("the topic does not exist")]
    NoTopic,
    /// The record is too long for the client.
    #[error("the record is too long for Kafka's client")]
    TooLarge,
    /// The client refused the record; the text is librdkafka's name of the reason.
    #[error("Kafka's client refused the record: {0}")]
    Refused(String),
}
