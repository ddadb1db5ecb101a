//! A listener beside the plain one, as managed brokers have it: by TLS, for clients who prove who
//! they are (SASL).

use std::path::PathBuf;

/// Kafka takes its name for its protocol too.
pub(super) const LISTENER: &str = "SASL_SSL";

/// One user, who proves itself by PLAIN, SCRAM-SHA-512, or any token whose lifetime has not ended
/// (OAUTHBEARER: the broker checks no signature).
#[derive(Clone, Debug)]
pub struct Secured {
    /// PEM: the private key (PKCS #8), then the certificate. An absolute path.
    pub key_store: PathBuf,
    /// The user's name.
    pub user: String,
    /// The user's password, without quotes.
    pub password: String,
}

impl Secured {
    pub(super) fn properties(&self) -> [(String, String); 7] {
        let Self {
            key_store,
            user,
            password,
        } = self;
        let of = |setting: &str| format!("listener.name.sasl_ssl.{setting}");
        let module = |name: &str, options: &str| {
            format!("org.apache.kafka.common.security.{name} required{options};")
        };
        [
            // Kafka fills in what is usual only where all listeners are plain.
            (
                "listener.security.protocol.map".to_owned(),
                format!("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{LISTENER}:{LISTENER}"),
            ),
            ("ssl.keystore.type".to_owned(), "PEM".to_owned()),
            (
                "ssl.keystore.location".to_owned(),
                key_store.display().to_string(),
            ),
            (
                of("sasl.enabled.mechanisms"),
                "PLAIN,SCRAM-SHA-512,OAUTHBEARER".to_owned(),
            ),
            (
                of("plain.sasl.jaas.config"),
                module(
                    "plain.PlainLoginModule",
                    &format!(" user_{user}=\"{password}\""),
                ),
            ),
            (
                of("scram-sha-512.sasl.jaas.config"),
                module("scram.ScramLoginModule", ""),
            ),
            (
                of("oauthbearer.sasl.jaas.config"),
                // The broker logs in to itself, and must be somebody.
                module(
                    "oauthbearer.OAuthBearerLoginModule",
                    " unsecuredLoginStringClaim_sub=\"broker\"",
                ),
            ),
        ]
    }

    /// Arguments of the tool that formats the data: SCRAM's secrets are data.
    pub(super) fn format_arguments(&self) -> [String; 2] {
        let Self { user, password, .. } = self;
        [
            "--add-scram".to_owned(),
            format!("SCRAM-SHA-512=[name={user},password={password}]"),
        ]
    }
}
