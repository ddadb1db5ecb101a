//! Tries `[kafka.options]` before anything is started: librdkafka itself says what it refuses.
//!
//! The clients are those of the start but for their brokers, of which they get none: nothing is
//! connected to, and nothing is logged.

use postback_common::config::{Draft, Fault, Settings};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};
use rdkafka::{ClientConfig, Statistics};

use super::reader::{Amount, reader_config};
use super::refusal::fault;
use super::{member_config, producer_config, refusals_member_config};

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
///
/// Of settings of which something is refused already, names and values alone are tried: what an
/// option needs beside it may be what is refused.
#[must_use]
pub fn refused_options(draft: Draft<'_>, clients: Clients) -> Vec<Fault> {
    let settings = draft.settings;
    let mut faults: Vec<Fault> = Vec::new();
    let mut tried = alone(settings);
    if draft.is_good && tried.iter().all(Result::is_ok) {
        tried = together(settings, clients);
    }
    for error in tried.into_iter().filter_map(Result::err) {
        let fault = fault(&settings.kafka, &error);
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

/// Each option by itself.
fn alone(settings: &Settings) -> Vec<Result<(), KafkaError>> {
    let options = settings.kafka.options.iter();
    let tried = options.map(|(option, value)| {
        let mut config = ClientConfig::new();
        config.set(option, value.expose());
        config.create_native_config().map(drop)
    });
    tried.collect()
}

/// All options, in the clients that are made with them.
fn together(settings: &Settings, clients: Clients) -> Vec<Result<(), KafkaError>> {
    match clients {
        Clients::Producers => vec![produce(settings)],
        Clients::Consumers => consume(settings),
        Clients::All => {
            let mut tried = consume(settings);
            tried.insert(0, produce(settings));
            tried
        }
    }
}

fn produce(settings: &Settings) -> Result<(), KafkaError> {
    let config = unconnected(producer_config(settings, CLIENT));
    let made: Result<BaseProducer<Silent>, _> = config.create_with_context(Silent);
    made.map(drop)
}

fn consume(settings: &Settings) -> Vec<Result<(), KafkaError>> {
    let member = member_config(&settings.kafka, &settings.consumer, CLIENT);
    let refusals = refusals_member_config(&settings.kafka, &settings.consumer, CLIENT);
    let reader = |amount| reader_config(&settings.kafka, CLIENT, CLIENT, amount);
    let (stretches, few) = (reader(Amount::Stretches), reader(Amount::Few));
    let make = |config: ClientConfig| {
        let made: Result<BaseConsumer<Silent>, _> = unconnected(config).create_with_context(Silent);
        made.map(drop)
    };
    [member, refusals, stretches, few].map(make).into()
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
        let draft = Draft {
            settings: &settings,
            is_good: true,
            are_sources_good: true,
        };
        let faults = refused_options(draft, clients);
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn good_options_are_good_for_all_clients() {
        for options in [
            "",
            "\"socket.keepalive.enable\" = true\n\"client.rack\" = \"r1\"\n\"linger.ms\" = 7",
            "\"debug\" = \"all\"",
            // More than the member that loads refusals would fetch at once otherwise.
            "\"message.max.bytes\" = 4000000",
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
                "\"message.max.bytes\" = 20000000",
                "kafka.options.\"message.max.bytes\" = \"20000000\": `fetch.max.bytes` must be >=",
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
    fn beside_what_is_refused_already_names_and_values_are_tried_and_no_more() {
        let read = |options: &str| {
            let text = format!("[kafka]\nbrokers = \"127.0.0.1:1\"\n[kafka.options]\n{options}\n");
            let check = |draft: Draft<'_>| refused_options(draft, Clients::All);
            postback_common::config::read_checked(Path::new("t.toml"), &text, [], check)
                .unwrap_err()
                .to_string()
        };
        let text = read("acks = \"1\"\n\"socket.timeout.ms\" = 1\nnonsense = 3");
        for expected in [
            "3 settings are refused\n",
            "kafka.options.\"acks\": cannot be set [bad_value]",
            "kafka.options.\"nonsense\": No such configuration property",
            "kafka.options.\"socket.timeout.ms\" = \"1\": ",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        // That a password is missing is a consequence.
        let needed = "\"security.protocol\" = \"sasl_plaintext\"\n\"sasl.mechanism\" = \"PLAIN\"\n\
                      \"sasl.username\" = \"u\"\n\"sasl.password_file\" = \"/nowhere/password\"";
        let text = read(needed);
        assert!(text.contains("1 setting is refused\n"), "{text}");
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
