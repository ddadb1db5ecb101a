//! TLS: handshakes, and certificates that change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postback_common::config::TlsSettings;
use postback_ingest::args;
use postback_ingest::limits::Limits;
use postback_ingest::tls::{self, Tls, TlsMetrics};
use postback_service::lifecycle::{Reloads, Shutdown};
use postback_service::metrics::Metrics;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Ingest, Kafka, LIMIT, PATH, get, settings, until};

const FAILURES: &str = "postback_ingest_tls_handshake_failures_total";
const EXPIRY: &str = "postback_ingest_certificate_expiry_timestamp_seconds";

/// A certificate for `localhost`, signed by itself, with its key.
struct Made {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

/// Valid until the first second of `year`.
fn make(year: i32) -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    Made {
        certificate: certificate.der().clone(),
        pem: certificate.pem(),
        key,
    }
}

/// The two files.
struct Files {
    directory: TempDir,
    settings: TlsSettings,
}

impl Files {
    fn of(made: &Made) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| -> PathBuf { directory.path().join(name) };
        let settings = TlsSettings {
            cert_file: path("cert.pem"),
            key_file: path("key.pem"),
        };
        let files = Self {
            directory,
            settings,
        };
        files.write(&made.pem, &made.key.serialize_pem());
        files
    }

    fn write(&self, certificate: &str, key: &str) {
        std::fs::write(&self.settings.cert_file, certificate).unwrap();
        std::fs::write(&self.settings.key_file, key).unwrap();
    }
}

async fn start(files: &Files, limits: Limits) -> (Ingest, Arc<Tls>) {
    let mut made = None;
    let tls = |metrics: &mut Metrics| {
        let tls = Tls::load(&files.settings, TlsMetrics::register(metrics)).unwrap();
        made = Some(Arc::new(tls));
        made.clone()
    };
    let ingest = Ingest::behind(tls, None, Kafka::Confirms, &settings("", ""), limits).await;
    (ingest, made.unwrap())
}

/// A client that trusts this certificate.
fn client(
    made: &Made,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(made.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn connect(ingest: &Ingest, client: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(ingest.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    timeout(LIMIT, client.connect(name, stream)).await.unwrap()
}

async fn exchange(stream: &mut TlsStream<TcpStream>, query: &str) -> String {
    let request = format!("GET {PATH}?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nOK") {
        answer.push(timeout(LIMIT, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn both_versions_are_spoken_with_http_1_1() {
    let made = make(2040);
    let (ingest, _) = start(&Files::of(&made), Limits::default()).await;
    let tls12 = (&rustls::version::TLS12, ProtocolVersion::TLSv1_2);
    let tls13 = (&rustls::version::TLS13, ProtocolVersion::TLSv1_3);
    for (version, expected) in [tls12, tls13] {
        let client = client(&made, &[version], &["h2", "http/1.1"]);
        let mut stream = connect(&ingest, &client).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(expected));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        // Raw characters in the target, and two requests on one connection.
        exchange(&mut stream, "u1=<u1> #4").await;
        exchange(&mut stream, "u1=b").await;
        let records = ingest.kafka.take();
        assert_eq!(records[0]["query"]["utf8"], "u1=<u1> #4");
        assert_eq!(records[1]["remote"], "127.0.0.1");
        // Without close_notify: no more than an idle connection that ends.
        drop(stream.into_inner().0);
    }
    let open = "postback_ingest_connections";
    until("both are closed", || ingest.metric(open) == 0.0).await;
    assert_eq!(ingest.refusals("head_incomplete"), 0.0);
    assert_eq!(ingest.metric(FAILURES), 0.0);
}

#[tokio::test]
async fn another_protocol_and_no_tls_at_all_are_failed_handshakes() {
    let made = make(2040);
    let (ingest, _) = start(&Files::of(&made), Limits::default()).await;
    let h2 = client(&made, &[&rustls::version::TLS13], &["h2"]);
    assert!(connect(&ingest, &h2).await.is_err());
    until("it is counted", || ingest.metric(FAILURES) == 1.0).await;
    let answer = ingest.exchange(get(PATH)).await;
    assert!(!answer.contains("HTTP/"), "{answer}");
    until("it is counted", || ingest.metric(FAILURES) == 2.0).await;
    // Whether the port is open is no handshake.
    drop(ingest.connect().await);
    let other = client(&make(2040), &[&rustls::version::TLS13], &[]);
    assert!(connect(&ingest, &other).await.is_err(), "it trusts another");
    until("it is counted", || ingest.metric(FAILURES) == 3.0).await;
    assert!(ingest.kafka.records().is_empty());
}

#[tokio::test]
async fn a_slow_handshake_is_cut() {
    let limits = Limits {
        head_within: Duration::from_millis(150),
        ..Limits::default()
    };
    let (ingest, _) = start(&Files::of(&make(2040)), limits).await;
    let mut silent = ingest.connect().await;
    // The beginning of a ClientHello.
    let mut slow = ingest.connect().await;
    slow.send([0x16, 0x03, 0x01]).await;
    assert_eq!(silent.rest().await + &slow.rest().await, "");
    until("they are counted", || ingest.metric(FAILURES) == 2.0).await;
}

#[tokio::test]
async fn a_new_certificate_is_taken_while_connections_are_open() {
    let (old, new) = (make(2040), make(2041));
    let files = Files::of(&old);
    let (ingest, tls) = start(&files, Limits::default()).await;
    // `date -u -d 2040-01-01 +%s`, and of 2041.
    assert_eq!(ingest.metric(EXPIRY), 2_208_988_800.0);
    let old_client = client(&old, rustls::ALL_VERSIONS, &[]);
    let mut open = connect(&ingest, &old_client).await.unwrap();
    exchange(&mut open, "u1=a").await;

    let reloads = |outcome: &str| {
        let name = format!("postback_ingest_certificate_reloads_total{{outcome=\"{outcome}\"}}");
        ingest.metric(&name)
    };
    tls.look();
    assert_eq!((reloads("taken"), reloads("refused")), (0.0, 0.0));
    for (certificate, key) in [
        (&new.pem[..], &old.key.serialize_pem()[..]),
        ("", &new.key.serialize_pem()),
        (
            &new.pem,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ),
    ] {
        files.write(certificate, key);
        tls.look();
        tls.look();
    }
    std::fs::remove_file(&files.settings.key_file).unwrap();
    tls.look();
    tls.look();
    assert_eq!((reloads("taken"), reloads("refused")), (0.0, 4.0));
    connect(&ingest, &old_client)
        .await
        .expect("the old one stays");

    files.write(&new.pem, &new.key.serialize_pem());
    tls.look();
    assert_eq!((reloads("taken"), reloads("refused")), (1.0, 4.0));
    assert_eq!(ingest.metric(EXPIRY), 2_240_611_200.0);
    exchange(&mut open, "u1=b").await;
    let new_client = client(&new, rustls::ALL_VERSIONS, &[]);
    let mut fresh = connect(&ingest, &new_client).await.unwrap();
    exchange(&mut fresh, "u1=c").await;
    let stranger = client(&old, rustls::ALL_VERSIONS, &[]);
    assert!(
        connect(&ingest, &stranger).await.is_err(),
        "the old one has gone"
    );
}

#[tokio::test]
async fn the_watch_notices_a_change() {
    let files = Files::of(&make(2040));
    let (ingest, tls) = start(&files, Limits::default()).await;
    let end = Shutdown::new();
    let reloads = Reloads::listen().unwrap();
    let watching = tls::watch(tls, Duration::from_millis(20), reloads, end.clone());
    let watching = tokio::spawn(watching);
    let new = make(2041);
    files.write(&new.pem, &new.key.serialize_pem());
    until("it is taken", || ingest.metric(EXPIRY) == 2_240_611_200.0).await;
    end.cancel();
    timeout(LIMIT, watching).await.unwrap().unwrap();
}

#[tokio::test]
async fn sessions_are_resumed_also_behind_a_new_certificate() {
    let made = make(2040);
    let files = Files::of(&made);
    let (ingest, tls) = start(&files, Limits::default()).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = client(&made, &[version], &[]);
        let mut kinds = Vec::new();
        for year in [2041, 2042, 2043] {
            let mut stream = connect(&ingest, &client).await.unwrap();
            // Tickets come behind the handshake.
            exchange(&mut stream, "u1=a").await;
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
            let new = make(year);
            files.write(&new.pem, &new.key.serialize_pem());
            tls.look();
        }
        use HandshakeKind::{Full, Resumed};
        assert_eq!(kinds, [Full, Resumed, Resumed], "{version:?}");
        files.write(&made.pem, &made.key.serialize_pem());
        tls.look();
    }
}

#[test]
fn keys_may_have_the_form_of_sec1() {
    let made = make(2040);
    let files = Files::of(&made);
    // RFC 5958: the P-256 key of RFC 5915 is the octet string behind version and algorithm.
    let pkcs8 = made.key.serialize_der();
    assert_eq!(pkcs8[27], 0x04, "an octet string");
    let length = usize::from(pkcs8[28]);
    let sec1 = &pkcs8[29..29 + length];
    let encoded = rustls_pem("EC PRIVATE KEY", sec1);
    files.write(&made.pem, &encoded);
    let mut metrics = Metrics::new();
    Tls::load(&files.settings, TlsMetrics::register(&mut metrics)).unwrap();
}

/// PEM by hand, from hexadecimal-free base64 (RFC 7468).
fn rustls_pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in der.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at > group.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

fn refusal(directory: &Path, cert_file: &Path, key_file: &Path) -> String {
    let text = format!(
        "[kafka]\nbrokers = \"a:1\"\n[ingest.tls]\ncert_file = {cert_file:?}\nkey_file = {key_file:?}\n"
    );
    let file = directory.join("postback.toml");
    std::fs::write(&file, text).unwrap();
    args::load_to_start(&file).unwrap_err().to_string()
}

#[test]
fn files_that_cannot_be_used_are_refused_at_the_start_with_a_remedy() {
    let (made, other) = (make(2040), make(2040));
    let files = Files::of(&made);
    let directory = files.directory.path();
    let put = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (cert, key) = (&files.settings.cert_file, &files.settings.key_file);
    let canary = put(
        "canary",
        "-----BEGIN PRIVATE KEY-----\ncanary-5f2d\n-----END PRIVATE KEY-----\n",
    );
    let other_key = put("other", &other.key.serialize_pem());
    let absent = directory.join("absent");
    for (cert, key, words) in [
        (&absent, key, "ingest.tls.cert_file = "),
        (
            &absent,
            key,
            "No such file or directory (os error 2) [unreadable_file]",
        ),
        (cert, &absent, "ingest.tls.key_file = "),
        (
            key,
            key,
            "no certificate in PEM form: the file has none [bad_value]",
        ),
        (
            cert,
            cert,
            "no private key in PEM form: the file has none [bad_value]",
        ),
        (
            cert,
            &canary,
            "no private key in PEM form: the file has none [bad_value]",
        ),
        (
            cert,
            &other_key,
            "the key is not that of the first certificate [contradiction]",
        ),
    ] {
        let text = refusal(directory, cert, key);
        assert!(
            text.contains(words) && text.contains("\n    remedy: "),
            "{text}"
        );
        assert!(!text.contains("canary-5f2d"), "{text}");
    }
    std::fs::write(directory.join("good"), "").unwrap();
    let good = format!(
        "[kafka]\nbrokers = \"a:1\"\n[ingest.tls]\ncert_file = {cert:?}\nkey_file = {key:?}\n"
    );
    let file = put("postback.toml", &good);
    assert!(args::load_to_start(&file).unwrap().ingest.tls.is_some());
}
