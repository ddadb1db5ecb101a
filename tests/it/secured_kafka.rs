//! Brokers as they are rented: TLS, and clients who prove who they are. Everything that speaks with
//! Kafka does so by `[kafka.options]`: `migrate`, ingest, consumer, `verify`, `tail`, the doctor.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use postback_simulator::plan;
use postback_stack::{KafkaOptions, KafkaServer, Secured};
use postback_tests::{Servers, Setup, secret};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use tempfile::TempDir;

use crate::main_path::scenario;
use crate::outage::own_kafka_with;
use crate::templates::COMPLETE;

const USER: &str = "postback";

/// A broker with a certificate of its own making.
struct Broker {
    kafka: KafkaServer,
    servers: Servers,
    certificate: PathBuf,
    key_store: PathBuf,
    password: String,
    _directory: TempDir,
}

impl Broker {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (certificate, key_store) = (path("certificate.pem"), path("broker.pem"));
        make_certificate(&certificate, &key_store);
        let password = secret::fresh();
        let mut options = KafkaOptions::new(path("kafka"));
        options.secured = Some(Secured {
            key_store: key_store.clone(),
            user: USER.to_owned(),
            password: password.clone(),
        });
        let (kafka, servers) = own_kafka_with(options);
        Self {
            kafka,
            servers,
            certificate,
            key_store,
            password,
            _directory: directory,
        }
    }

    /// A pipeline that reaches it by TLS alone, with these options more.
    fn setup(&self, name: &str, options: &[(&str, &str)]) -> Setup {
        self.setup_trusting(&self.certificate, name, options)
    }

    fn setup_trusting(&self, certificate: &Path, name: &str, options: &[(&str, &str)]) -> Setup {
        let usual = [
            ("security.protocol", "SASL_SSL"),
            ("ssl.ca.location", certificate.to_str().unwrap()),
        ];
        let options = usual.iter().chain(options);
        let options = options.map(|(name, value)| format!("\"{name}\" = \"{value}\"\n"));
        let options = format!("[kafka.options]\n{}", options.collect::<String>());
        Setup::on(name, self.servers.clone())
            .reaching(&self.kafka.secured_brokers().unwrap())
            .lines("kafka", &options)
            .source("rakuten-us", COMPLETE)
    }
}

/// Valid for 127.0.0.1, signed by itself: `alone` has the certificate, `both` its key before it.
fn make_certificate(alone: &Path, both: &Path) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    std::fs::write(both, format!("{}{certificate}", key.serialize_pem())).unwrap();
    std::fs::write(alone, certificate).unwrap();
}

fn by_password<'a>(mechanism: &'a str, password: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("sasl.mechanism", mechanism),
        ("sasl.username", USER),
        ("sasl.password", password),
    ]
}

/// Postbacks go all the way, and whatever else asks Kafka gets its answer.
fn everything_works(setup: Setup) {
    let running = setup.start();
    let pipeline = &running.pipeline;
    let deliveries = plan(&scenario(91, 40).events, &pipeline.registration(0));
    let ledger = pipeline.send(deliveries);
    let counts = ledger.counts();
    assert_eq!((counts.failed, counts.unsent), (0, 0), "{counts:?}");
    pipeline.wait_until_loaded(counts.acknowledged);

    let verified = pipeline.postback(&["verify"]);
    assert_eq!(verified.code, 0, "{}", verified.shown());
    let tail = pipeline.postback(&["tail", "--from", "kafka", "-n", "1000", "-o", "jsonl"]);
    assert_eq!(tail.code, 0, "{}", tail.shown());
    assert_eq!(tail.stdout.lines().count() as u64, counts.acknowledged);
    // It doubts other things of this pipeline.
    let doctor = pipeline.postback(&["-o", "json", "doctor"]);
    let shown: Value = serde_json::from_str(&doctor.stdout).unwrap();
    for check in ["kafka", "topic", "loading"] {
        let mut rows = shown["rows"].as_array().unwrap().iter();
        let row = rows.find(|row| row["check"] == check).unwrap();
        assert_eq!(row["state"], "well", "{row}");
    }
}

#[test]
fn by_a_password_over_tls() {
    let broker = Broker::start();
    for (name, mechanism) in [("kafka_plain", "PLAIN"), ("kafka_scram", "SCRAM-SHA-512")] {
        everything_works(broker.setup(name, &by_password(mechanism, &broker.password)));
    }
}

#[test]
fn by_a_token_over_tls() {
    let broker = Broker::start();
    let client_secret = secret::fresh();
    let issuer = issue_tokens(&broker.key_store, &client_secret);
    everything_works(broker.setup(
        "kafka_token",
        &[
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.oauthbearer.method", "oidc"),
            ("sasl.oauthbearer.client.id", USER),
            ("sasl.oauthbearer.client.secret", &client_secret),
            (
                "sasl.oauthbearer.token.endpoint.url",
                &format!("https://{issuer}/token"),
            ),
            ("https.ca.location", broker.certificate.to_str().unwrap()),
        ],
    ));
}

/// An issuer of tokens (OAuth 2.0, client credentials) who knows one client, by TLS.
fn issue_tokens(key_store: &Path, client_secret: &str) -> SocketAddr {
    let certificate = CertificateDer::from_pem_file(key_store).unwrap();
    let key = PrivateKeyDer::from_pem_file(key_store).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let tls = Arc::new(tls);
    let credentials = base64::engine::general_purpose::STANDARD;
    let expected = credentials.encode(format!("{USER}:{client_secret}"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
            answer_with_token(StreamOwned::new(connection, stream.unwrap()), &expected);
        }
    });
    address
}

fn answer_with_token(stream: impl Read + Write, expected: &str) {
    let mut reader = BufReader::new(stream);
    let (mut length, mut is_known) = (0, false);
    for line in reader.by_ref().lines() {
        let line = line.unwrap();
        let Some((name, value)) = line.split_once(": ") else {
            if line.is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => is_known = value == format!("Basic {expected}"),
            "content-length" => length = value.parse().unwrap(),
            _ => (),
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let is_asked = body.contains("grant_type=client_credentials");
    let (status, body) = if is_known && is_asked {
        let token = token();
        let body = format!(
            "{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":3600}}"
        );
        ("200 OK", body)
    } else {
        ("401 Unauthorized", "{}".to_owned())
    };
    let head = "content-type: application/json\r\nconnection: close";
    let answer = format!(
        "HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = reader.into_inner();
    stream.write_all(answer.as_bytes()).unwrap();
    stream.flush().unwrap();
}

/// A token of an hour that nobody signed (RFC 7519, section 6).
fn token() -> String {
    let now = Timestamp::now().as_second();
    let claims = format!(
        "{{\"sub\":\"{USER}\",\"iat\":{now},\"exp\":{}}}",
        now + 3_600
    );
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", encode("{\"alg\":\"none\"}"), encode(&claims))
}

#[test]
fn who_may_not_in_is_told_so() {
    let broker = Broker::start();
    let other = tempfile::tempdir().unwrap();
    let (elsewhere, unused) = (other.path().join("ca.pem"), other.path().join("key.pem"));
    make_certificate(&elsewhere, &unused);
    let wrong = secret::fresh();
    let wrong_password = broker.setup("kafka_wrong", &by_password("PLAIN", &wrong));
    let untrusted = broker.setup_trusting(
        &elsewhere,
        "kafka_untrusted",
        &by_password("PLAIN", &broker.password),
    );
    for (setup, expected) in [(wrong_password, "uthentication"), (untrusted, "ertificate")] {
        let pipeline = setup.prepare();
        for command in [&["doctor"][..], &["migrate"]] {
            let finished = pipeline.postback(command);
            let shown = finished.shown();
            assert_ne!(finished.code, 0, "{shown}");
            assert!(shown.contains(expected), "{shown}");
        }
    }
}
