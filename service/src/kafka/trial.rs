//! Tries `[kafka.options]` before anything is started: librdkafka itself says what it refuses.
//!
//! The clients are those of the start but for their brokers, of which they get none: nothing is
//! connected to, and nothing is logged.

use postback_common::config::{Fault, Settings};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};
use rdkafka::{ClientConfig, Statistics};

use super::log::reader_config;
use super::refusal::fault;
use super::{member_config, producer_config};

/// Names the clients in messages of librdkafka that nobody sees.
const CLIENT: &str = "postback-check";

/// Which clients a program makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// It sends.
    Producers,
    /// It reads.
    Consumers,
    /// Both.
    All,
}

/// What librdkafka refuses of `[kafka.options]`; empty when a program can start with them. All names
/// and values are tried, and, when they are good, whether they go together and their files can be
/// used.
#[must_use]
pub fn refused_options(settings: &Settings, clients: Clients) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    let alone = settings.kafka.options.iter().map(|(option, value)| {
        let mut config = ClientConfig::new();
        config.set(option, value.expose());
        config.create_native_config().map(drop)
    });
    let alone: Vec<_> = alone.collect();
    let together = || match clients {
        Clients::Producers => vec![produce(settings)],
        Clients::Consumers => consume(settings),
        Clients::All => {
            let mut tried = consume(settings);
            tried.insert(0, produce(settings));
            tried
        }
    };
    let tried = match alone.iter().any(Result::is_err) {
        true => alone,
        false => together(),
    };
    for error in tried.into_iter().filter_map(Result::err) {
        let fault = fault(&settings.kafka, &error);
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

fn produce(settings: &Settings) -> Result<(), KafkaError> {
    let config = unconnected(producer_config(settings, CLIENT));
    let made: Result<BaseProducer<Silent>, _> = config.create_with_context(Silent);
    made.map(drop)
}

fn consume(settings: &Settings) -> Vec<Result<(), KafkaError>> {
    let member = member_config(&settings.kafka, &settings.consumer, CLIENT);
    let reader = reader_config(&settings.kafka, CLIENT, CLIENT);
    let make = |config: ClientConfig| {
        let made: Result<BaseConsumer<Silent>, _> = unconnected(config).create_with_context(Silent);
        made.map(drop)
    };
    [member, reader].map(make).into()
}

/// The same without brokers, and without what would look for one.
///
/// OAUTHBEARER by OIDC asks for a token as soon as there is a client. Its own options are checked
/// all the same, because that does not depend on the protocol.
fn unconnected(mut config: ClientConfig) -> ClientConfig {
    config.remove("bootstrap.servers");
    let is = |option, expected: &str| {
        let value = config.get(option);
        value.is_some_and(|value| value.eq_ignore_ascii_case(expected))
    };
    let by_oidc = is("sasl.mechanism", "OAUTHBEARER") && is("sasl.oauthbearer.method", "oidc");
    let protocol = match config.get("security.protocol").map(str::to_ascii_lowercase) {
        Some(protocol) if by_oidc && protocol == "sasl_ssl" => Some("ssl"),
        Some(protocol) if by_oidc && protocol == "sasl_plaintext" => Some("plaintext"),
        _ => None,
    };
    if let Some(protocol) = protocol {
        config.set("security.protocol", protocol);
    }
    config
}

/// Says nothing.
struct Silent;

impl ClientContext for Silent {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: KafkaError, _: &str) {}

    fn stats(&self, _: Statistics) {}
}

impl ProducerContext for Silent {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

impl ConsumerContext for Silent {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn refused(options: &str, clients: Clients) -> Vec<String> {
        // Nobody may be asked: a connection to this port would be refused and logged.
        let text = format!("[kafka]\nbrokers = \"127.0.0.1:1\"\n[kafka.options]\n{options}\n");
        let settings = postback_common::config::read(Path::new("t.toml"), &text, []).unwrap();
        let faults = refused_options(&settings, clients);
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn good_options_are_good_for_all_clients() {
        for options in [
            "",
            "\"socket.keepalive.enable\" = true\n\"client.rack\" = \"r1\"\n\"linger.ms\" = 7",
            "\"debug\" = \"all\"",
            "\"security.protocol\" = \"sasl_ssl\"\n\"sasl.mechanism\" = \"SCRAM-SHA-512\"\n\
             \"sasl.username\" = \"u\"\n\"sasl.password\" = \"p\"",
        ] {
            assert_eq!(refused(options, Clients::All), [""; 0], "{options}");
        }
    }

    #[test]
    fn every_wrong_name_and_value_is_said_at_once_and_no_secret() {
        let options = "nonsense = 3\n\"sasl.pasword\" = \"canary\"\n\
                       \"security.protocol\" = \"carrier-pigeon\"\n\"socket.timeout.ms\" = 1";
        let expected = [
            "kafka.options.\"nonsense\": No such configuration property: \"nonsense\" [unknown_key]",
            "kafka.options.\"sasl.pasword\": No such configuration property: \"sasl.pasword\" [unknown_key]",
            "kafka.options.\"security.protocol\" = \"carrier-pigeon\": Invalid value \"carrier-pigeon\" for configuration property \"security.protocol\" [bad_value]",
            "kafka.options.\"socket.timeout.ms\" = \"1\": Configuration property \"socket.timeout.ms\" value 1 is outside allowed range 10..300000 [bad_value]",
        ];
        for clients in [Clients::Producers, Clients::Consumers, Clients::All] {
            let faults = refused(options, clients);
            assert_eq!(faults.len(), expected.len(), "{faults:?}");
            for (fault, expected) in faults.iter().zip(expected) {
                let remedy = "\n    remedy: correct it, or remove it: librdkafka's";
                assert!(fault.starts_with(&format!("{expected}{remedy}")), "{fault}");
            }
        }
    }

    #[test]
    fn what_does_not_go_together_is_said_with_its_option() {
        for (options, expected) in [
            (
                "\"max.in.flight\" = 100",
                "kafka.options.\"max.in.flight\" = \"100\": `max.in.flight` must be set <= 5",
            ),
            (
                "\"message.max.bytes\" = 2000000",
                "kafka.options.\"message.max.bytes\" = \"2000000\": `fetch.max.bytes` must be >=",
            ),
            (
                "\"security.protocol\" = \"ssl\"\n\"ssl.ca.location\" = \"/nowhere/ca.pem\"",
                "kafka.options.\"ssl.ca.location\" = \"/nowhere/ca.pem\": ssl.ca.location failed",
            ),
            (
                "\"security.protocol\" = \"ssl\"\n\"ssl.key.pem\" = \"canary\"",
                "kafka.options.\"ssl.key.pem\": ssl.key.pem failed",
            ),
            (
                "\"sasl.mechanism\" = \"PLAIN\"\n\"security.protocol\" = \"sasl_plaintext\"",
                "kafka.options: sasl.username and sasl.password must be set [bad_value]",
            ),
        ] {
            let faults = refused(options, Clients::All);
            assert_eq!(faults.len(), 1, "{faults:?}");
            let is_said = faults[0].starts_with(expected) && !faults[0].contains("canary");
            assert!(is_said, "{faults:?}");
        }
        // Only what sends needs it.
        let reads = refused("\"max.in.flight\" = 100", Clients::Consumers);
        assert_eq!(reads, [""; 0]);
    }

    #[test]
    fn nobody_is_asked_for_a_token() {
        let issuer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        issuer.set_nonblocking(true).unwrap();
        let url = format!("http://{}/token", issuer.local_addr().unwrap());
        let options = "\"security.protocol\" = \"SASL_PLAINTEXT\"\n\
                       \"sasl.mechanism\" = \"OAUTHBEARER\"\n\
                       \"sasl.oauthbearer.method\" = \"oidc\"\n\
                       \"sasl.oauthbearer.client.id\" = \"c\"\n\
                       \"sasl.oauthbearer.client.secret\" = \"canary\"\n";
        let endpoint = format!("\"sasl.oauthbearer.token.endpoint.url\" = \"{url}\"");
        let good = refused(&format!("{options}{endpoint}"), Clients::All);
        if good
            .iter()
            .any(|fault| fault.contains("not supported in this build"))
        {
            return;
        }
        assert_eq!(good, [""; 0]);
        assert!(issuer.accept().is_err(), "the issuer was asked");
        let incomplete = refused(options, Clients::All).join("\n");
        assert!(
            incomplete.contains("`sasl.oauthbearer.token.endpoint.url` is mandatory"),
            "{incomplete}"
        );
    }
}
