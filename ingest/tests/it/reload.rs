//! SIGHUP's work: sources change, everything else waits.

use std::path::Path;

use postback_common::config;
use postback_ingest::reload::{apply, changed};

use crate::support::{Ingest, KEY, Kafka, PATH, get, settings};

fn with_key(key: &str) -> Result<config::Settings, config::ConfigError> {
    let text = format!(
        "[kafka]\nbrokers = \"127.0.0.1:1\"\n[[source]]\nname = \"shop\"\nnetwork = \"rakuten\"\n\
         [[source.key]]\nkey = \"{key}\"\n\
         [[source]]\nname = \"closed\"\nnetwork = \"rakuten\"\nenabled = false\n"
    );
    config::read(Path::new("test.toml"), &text, [])
}

async fn status(ingest: &Ingest, key: &str) -> String {
    let answer = ingest.exchange(get(&format!("/postback/{key}"))).await;
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn keys_are_exchanged_and_a_bad_file_changes_nothing() {
    let running = settings("", "");
    let ingest = Ingest::start(Kafka::Confirms).await;
    let fresh = "fresh-key-of-a-good-length";
    let mut open = ingest.connect().await;
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n");
    open.send(&request).await;
    open.answer_ending("OK").await;

    apply(with_key("short"), &running, &ingest.server);
    assert_eq!(
        (status(&ingest, KEY).await, status(&ingest, fresh).await),
        ("200".into(), "404".into())
    );

    apply(with_key(fresh), &running, &ingest.server);
    assert_eq!(
        (status(&ingest, KEY).await, status(&ingest, fresh).await),
        ("404".into(), "200".into())
    );
    // The connection that was open before is open still, and sees the new sources.
    open.send(&request).await;
    assert!(
        open.answer_ending("not found")
            .await
            .starts_with("HTTP/1.1 404 ")
    );
    let reloads = |outcome| {
        ingest.metric(&format!(
            "postback_ingest_reloads_total{{outcome=\"{outcome}\"}}"
        ))
    };
    assert_eq!((reloads("taken"), reloads("refused")), (1.0, 1.0));
}

#[tokio::test]
async fn a_file_that_lacks_a_source_is_taken_for_cut_off() {
    let running = settings("", "");
    let ingest = Ingest::start(Kafka::Confirms).await;
    let cut = "[kafka]\nbrokers = \"127.0.0.1:1\"\n";
    let cut = config::read(Path::new("test.toml"), cut, []);
    assert!(cut.is_ok(), "by itself it is a good file");
    assert!(apply(cut, &running, &ingest.server).is_none());
    assert_eq!(status(&ingest, KEY).await, "200");
    let refused = "postback_ingest_reloads_total{outcome=\"refused\"}";
    assert_eq!(ingest.metric(refused), 1.0);
}

#[test]
fn settings_that_need_a_restart_are_named() {
    let running = settings("", "");
    assert_eq!(
        changed(&running, &settings("", "currency = \"USD\"")),
        [""; 0]
    );
    let loaded = settings("answer_within_ms = 300\nlisten = \"127.0.0.1:81\"", "");
    assert_eq!(
        changed(&running, &loaded),
        ["ingest.answer_within_ms", "ingest.listen"]
    );
    let with_password = |password: &str| {
        let text = format!(
            "[kafka]\nbrokers = \"b:1\"\n[kafka.options]\n\"sasl.password\" = \"{password}\"\n"
        );
        config::read(Path::new("test.toml"), &text, []).unwrap()
    };
    let names = changed(&with_password("one"), &with_password("two"));
    assert_eq!(
        names,
        ["kafka.options"],
        "a secret prints alike but differs"
    );
}
