//! What librdkafka refuses: to make a client, in words that hold no secret, and records for themselves.

use postback_common::config::{Fault, FaultCode, KafkaOption, KafkaSettings};
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
                || given.is_none_or(KafkaOption::is_secret);
            if secret {
                format!("kafka.options.\"{option}\": {}", hide(words, value))
            } else {
                format!("kafka.options.\"{option}\" = \"{value}\": {words}")
            }
        }
        other => other.to_string(),
    };
    conceal(settings, text)
}

/// The same as a fault of the configuration.
pub(super) fn fault(settings: &KafkaSettings, error: &KafkaError) -> Fault {
    let (code, option, problem) = match error {
        KafkaError::ClientConfig(kind, words, option, value) => {
            // librdkafka quotes the value, which under a misspelt name may be a secret.
            let (code, words) = match kind {
                RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN => {
                    (FaultCode::UnknownKey, hide(words, value))
                }
                _ => (FaultCode::BadValue, words.clone()),
            };
            (code, Some(option.as_str()), words)
        }
        KafkaError::ClientCreation(words) => {
            let named = settings.options.keys().map(String::as_str);
            let named = named.filter(|option| words.contains(option));
            let option = named.max_by_key(|option| option.len());
            (FaultCode::BadValue, option, words.clone())
        }
        other => (FaultCode::BadValue, None, other.to_string()),
    };
    let key = option.map_or_else(
        || "kafka.options".to_owned(),
        |option| format!("kafka.options.\"{option}\""),
    );
    let remedy = "correct it, or remove it: librdkafka's CONFIGURATION.md lists names and values";
    let fault = Fault::new(code, &key, conceal(settings, problem).trim_end(), remedy);
    let value = option.and_then(|option| settings.options.get(option));
    match value.filter(|value| code != FaultCode::UnknownKey && !value.is_secret()) {
        Some(value) => fault.with_value(format_args!("{:?}", value.expose())),
        None => fault,
    }
}

/// The text without any secret of the options.
fn conceal(settings: &KafkaSettings, text: String) -> String {
    let options = settings.options.values();
    let secrets = options.filter(|option| option.is_secret());
    secrets.fold(text, |text, secret| hide(&text, secret.expose()))
}

fn hide(text: &str, secret: &str) -> String {
    if secret.is_empty() {
        text.to_owned()
    } else {
        text.replace(secret, HIDDEN)
    }
}

/// The code of an error, those of admin requests included, of which rdkafka 0.39 tells none.
#[must_use]
pub fn error_code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
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
