//! The URL key reaches nothing that is kept or shown.

use std::io;
use std::sync::{Arc, Mutex};

use postback_ingest::limits::Limits;
use postback_ingest::reload::apply;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Ingest, KEY, Kafka, PATH, get, request, settings};

#[derive(Debug, Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// One thread, so that the subscriber of this thread sees everything.
#[tokio::test(flavor = "current_thread")]
async fn the_key_is_in_no_log_record_metric_or_answer() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(captured.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let mut shown = String::new();
    for kafka in [Kafka::Confirms, Kafka::QueueFull, Kafka::SaysNo] {
        let ingest = Ingest::with(kafka, &settings("", ""), Limits::default()).await;
        let near = format!("{PATH}x");
        for request in [
            get(&format!("{PATH}?u1=a")),
            get(&near),
            get(&format!("{PATH}?u1=<u1> #")),
            get(&format!("{PATH}#?u1=a")),
            get(&format!("{PATH}?{}", "<".repeat(100_000))),
            format!("GET {PATH}?\r HTTP/1.1\r\n\r\n"),
            format!("GET {PATH}?< HTTP/9.9\r\n\r\n"),
            request("HEAD", PATH, "", ""),
            request("PUT", PATH, "", ""),
            get(&format!("{PATH}?{}", "q".repeat(20_000))),
            request(
                "POST",
                PATH,
                "Content-Length: 70000\r\n",
                &"b".repeat(70_000),
            ),
            format!("GET {PATH} HTTP/9.9\r\n\r\n"),
            format!("GET {PATH}"),
            format!("GET {PATH} HTTP/1.1\r\nX: {}", "y".repeat(200_000)),
        ] {
            shown += &ingest.exchange(request).await;
        }
        let settings = settings("", "");
        let bad = postback_common::config::read(
            std::path::Path::new("t.toml"),
            &format!("[[source]]\nname = \"s\"\n[[source.key]]\nkey = \"{KEY} \"\nkey_file = 1\n"),
            [],
        );
        apply(bad, &settings, &ingest.server);
        shown += &format!("{:?}", ingest.kafka.records());
        shown += &ingest.metrics();
    }
    shown += &String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    for expected in [
        "request{source=\"shop\" key=\"spring\" id=",
        "not_found",
        "query_too_large",
    ] {
        assert!(
            shown.contains(expected),
            "the capture works: {expected}\n{shown}"
        );
    }
    assert!(!shown.contains(KEY), "{shown}");
}

/// `printf %s me:canary-word-5c1 | base64`, and with another password.
const RIGHT: &str = "bWU6Y2FuYXJ5LXdvcmQtNWMx";
const WRONG: &str = "bWU6Y2FuYXJ5LXdvcmQtNWMyCg==";

#[tokio::test(flavor = "current_thread")]
async fn a_password_is_in_no_log_record_metric_or_answer() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(captured.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let auth = "basic_auth = { user = \"me\", password = \"canary-word-5c1\" }";
    let settings = settings("", auth);
    let ingest = Ingest::with(Kafka::Confirms, &settings, Limits::default()).await;
    let mut shown = String::new();
    for (credentials, status) in [(RIGHT, "200"), (WRONG, "401")] {
        let header = format!("Authorization: Basic {credentials}\r\n");
        let answer = ingest.exchange(request("GET", PATH, &header, "")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        shown += &answer;
    }
    apply(Ok(settings.clone()), &settings, &ingest.server);
    shown += &format!("{:?}{settings:?}", ingest.kafka.records());
    shown += &settings.to_toml().unwrap();
    shown += &ingest.metrics();
    shown += &String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    for expected in [
        "sources reloaded",
        "unauthorized",
        "password = \"[hidden]\"",
    ] {
        assert!(shown.contains(expected), "the capture works: {expected}");
    }
    for secret in ["canary-word", RIGHT, WRONG] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}
