//! How every client reaches Kafka, and where librdkafka's own words and figures go.

mod bootstrap;
mod events;
mod lag;
mod librdkafka;
mod log;
mod member;
mod producer;
mod publisher;
mod reader;
mod refusal;
mod trial;

pub use bootstrap::Bootstrap;
pub use events::{ClientEvents, KafkaMetrics};
pub use lag::{GroupLag, PartitionLag, lag};
pub use librdkafka::Bell;
pub use log::{End, LogError, LogReader, Span, next_to_load};
pub use member::{member_config, refusals_member_config};
pub use producer::producer_config;
pub use publisher::{PublishError, Publisher};
/// The client library, in the version that every service uses.
pub use rdkafka;
pub use reader::Amount;
pub use refusal::{error_code, explain, is_refused_for_itself};
pub use trial::{Clients, refused_options};

use postback_common::config::KafkaSettings;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// The configuration that every client begins with; add what a producer or a consumer needs.
///
/// `client_id` names the client in the broker's logs and quotas. What the operator passes on in
/// `kafka.options` wins over our defaults (`reconnect.backoff.max.ms`), never over what a promise
/// rests on: the configuration refuses those options.
#[must_use]
pub fn client_config(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("client.id", client_id)
        // librdkafka's 10 s would lengthen every outage.
        .set("reconnect.backoff.max.ms", "1000")
        // One line a second while a broker is away is noise; the error is counted all the same.
        .set("log.connection.close", "false");
    for (option, value) in &settings.options {
        config.set(option, value.expose());
    }
    config
        .set("bootstrap.servers", settings.brokers.join(","))
        // A topic that came into being by accident has none of the settings that promises rest on.
        .set("allow.auto.create.topics", "false")
        .set_log_level(RDKafkaLogLevel::Info);
    config
}

/// Sets what is merely a good value: what the operator passes on in `kafka.options` stays.
fn set_unless_given<'v>(
    config: &mut ClientConfig,
    values: impl IntoIterator<Item = (&'v str, &'v str)>,
) {
    for (option, value) in values {
        if config.get(option).is_none() {
            config.set(option, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn options_are_passed_on_and_our_own_settings_hold() {
        let text = "[kafka]\nbrokers = [\"a:1\", \"b:2\"]\n[kafka.options]\n\
                    \"sasl.password\" = \"canary\"\n\"reconnect.backoff.max.ms\" = 500\n";
        let settings = postback_common::config::read(Path::new("t.toml"), text, [])
            .unwrap()
            .kafka;
        let config = client_config(&settings, "test");
        let expected = [
            ("bootstrap.servers", "a:1,b:2"),
            ("client.id", "test"),
            ("allow.auto.create.topics", "false"),
            ("reconnect.backoff.max.ms", "500"),
            ("sasl.password", "canary"),
        ];
        for (option, value) in expected {
            assert_eq!(config.get(option), Some(value), "{option}");
        }
    }
}
