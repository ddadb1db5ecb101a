//! What librdkafka refuses: to make a client, in words that hold no secret, and records for themselves.

use postback_common::config::KafkaSettings;
use postback_common::secret::HIDDEN;
use rdkafka::error::{IsError as _, KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaConfRes;

/// The text of an error of making a client, for logs and people.
///
/// Never print such an error itself: it quotes the value of the option that it refuses, which may be
/// a password, or a password under a misspelt name.
#[must_use]
pub fn explain(settings: &KafkaSettings, error: &KafkaError) -> String {
    let text = match error {
        KafkaError::ClientConfig(kind, words, option, value) if kind.is_error() => {
            let given = settings.options.get(option);
            let secret = *kind == RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN
                || given.is_none_or(postback_common::config::KafkaOption::is_secret);
            if secret {
                format!("kafka.options.\"{option}\": {}", hide(words, value))
            } else {
                format!("kafka.options.\"{option}\" = \"{value}\": {words}")
            }
        }
        other => other.to_string(),
    };
    let secrets = settings
        .options
        .values()
        .filter(|option| option.is_secret());
    secrets.fold(text, |text, secret| hide(&text, secret.expose()))
}

fn hide(text: &str, secret: &str) -> String {
    if secret.is_empty() {
        text.to_owned()
    } else {
        text.replace(secret, HIDDEN)
    }
}

/// Whether a delivery failed for the record itself, or for the batch that it was in: a cluster in
/// the best of health would refuse the same again. The broker judges batches, so what was not alone
/// in one may be as good as any.
#[must_use]
pub fn is_refused_for_itself(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::MessageBatchTooLarge
        )
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rdkafka::producer::BaseProducer;

    use super::*;
    use crate::kafka::client_config;

    fn refused(options: &str) -> String {
        let text = format!("[kafka]\nbrokers = \"b:1\"\n[kafka.options]\n{options}\n");
        let settings = postback_common::config::read(Path::new("t.toml"), &text, []).unwrap();
        let made = client_config(&settings.kafka, "test").create::<BaseProducer>();
        explain(&settings.kafka, &made.err().expect("refused"))
    }

    #[test]
    fn an_unknown_option_is_named_without_its_value() {
        let text = refused("\"sasl.pasword\" = \"canary\"");
        assert_eq!(
            text,
            "kafka.options.\"sasl.pasword\": No such configuration property: \"sasl.pasword\""
        );
    }

    #[test]
    fn a_bad_value_is_shown_unless_it_is_a_secret() {
        let text = refused("\"security.protocol\" = \"carrier-pigeon\"");
        assert!(
            text.starts_with("kafka.options.\"security.protocol\" = \"carrier-pigeon\": "),
            "{text}"
        );
        let text = refused("\"security.protocol\" = \"ssl\"\n\"ssl.key.pem\" = \"canary\"");
        assert!(text.contains("ssl.key.pem"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}
