//! Why the topic could not be asked for or made.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::kafka::error_code;

/// Why the topic could not be asked for or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// librdkafka refuses the configuration.
    #[error("Kafka's client cannot be made: {0}")]
    Options(String),
    /// No broker answers.
    #[error("Kafka at {brokers} does not answer: {cause}")]
    Unreachable {
        /// As configured.
        brokers: String,
        /// librdkafka's words.
        cause: String,
    },
    /// The brokers answer, but this user may not.
    #[error("Kafka refuses to {action} topic {topic}: {cause}")]
    Denied {
        /// The topic.
        topic: String,
        /// `describe` or `create`.
        action: &'static str,
        /// Kafka's words.
        cause: String,
    },
    /// The brokers will not make the topic as it is wanted.
    #[error("Kafka cannot {action} topic {topic}: {cause}")]
    Refused {
        /// The topic.
        topic: String,
        /// `describe` or `create`.
        action: &'static str,
        /// Kafka's words.
        cause: String,
    },
}

impl TopicError {
    /// The machine-readable tag.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Options(_) => "kafka_options",
            Self::Unreachable { .. } => "kafka_unreachable",
            Self::Denied { .. } => "kafka_denied",
            Self::Refused { .. } => "kafka_refused",
        }
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Options(_) => "correct [kafka.options]; librdkafka's CONFIGURATION.md lists them",
            Self::Unreachable { .. } => {
                "start Kafka, or correct kafka.brokers and the TLS and SASL settings in kafka.options"
            }
            Self::Denied { .. } => {
                "allow the user in kafka.options to Describe, DescribeConfigs and, for `postback migrate`, Create the topic; \
                 who sends needs Write on it, who loads Read on it and on the groups whose names begin with consumer.group"
            }
            Self::Refused { .. } => {
                "adapt kafka.partitions and kafka.replication_factor to the cluster, or make the topic by hand"
            }
        }
        .to_owned()
    }

    /// Sorts the brokers' refusal by its code.
    pub(super) fn of_code(topic: &str, action: &'static str, code: RDKafkaErrorCode) -> Self {
        let (topic, cause) = (topic.to_owned(), code.to_string());
        match code {
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed => Self::Denied {
                topic,
                action,
                cause,
            },
            _ => Self::Refused {
                topic,
                action,
                cause,
            },
        }
    }

    pub(super) fn of_admin(topic: &str, action: &'static str, error: &KafkaError) -> Self {
        match error_code(error) {
            Some(code) => Self::of_code(topic, action, code),
            None => Self::Refused {
                topic: topic.to_owned(),
                action,
                cause: error.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_denied_as_a_whole_is_denied_too() {
        let denied = KafkaError::AdminOp(RDKafkaErrorCode::ClusterAuthorizationFailed);
        let error = TopicError::of_admin("t", "describe", &denied);
        assert_eq!(error.code(), "kafka_denied");
        let remedy = error.remedy();
        assert!(
            remedy.contains("DescribeConfigs") && remedy.contains("Read on it and on the groups"),
            "{remedy}"
        );
    }
}
