//! How the book gets into the pipeline, and when each postback was received.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use postback_tests::Pipeline;
use serde_json::{Value, json};
use uuid::Builder;

use super::Keys;
use super::book::{Book, Message, Own};
use super::compared::{Postback, SOURCES};
use super::model::Received;

/// Messages by the ids of their postbacks.
pub(super) type Sent = BTreeMap<String, Message>;

/// Sends what comes now through ingest, and publishes what came earlier as ingest did then. What is
/// sent twice is sent the second time after everything else.
pub(super) fn send(pipeline: &Pipeline, keys: &Keys, book: &Book) -> Sent {
    let (earlier, now): (Vec<_>, Vec<_>) = book
        .messages
        .iter()
        .partition(|message| message.came.is_some());
    let mut sent = publish(pipeline, &earlier);
    let (repeats, first): (Vec<_>, Vec<_>) = now.into_iter().partition(|message| message.is_repeat);
    for messages in [first, repeats] {
        sent.extend(get(pipeline, keys, &messages));
    }
    sent
}

fn get(pipeline: &Pipeline, keys: &Keys, messages: &[&Message]) -> Sent {
    let agent = agent();
    let one = |message: &&Message| {
        let key = keys.of(message.source);
        let url = format!(
            "http://{}/postback/{key}?{}",
            pipeline.address, message.query
        );
        let answer = agent.get(&url).call().unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        let id = answer.headers()["x-postback-id"].to_str().unwrap();
        (id.to_owned(), (*message).clone())
    };
    std::thread::scope(|scope| {
        let parts = messages.chunks(messages.len().div_ceil(8).max(1));
        let threads =
            parts.map(|part| scope.spawn(move || part.iter().map(one).collect::<Vec<_>>()));
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None);
    config
        .timeout_global(Some(postback_tests::wait::LIMIT))
        .build()
        .into()
}

fn publish(pipeline: &Pipeline, messages: &[&Message]) -> Sent {
    let mut sent = Sent::new();
    let mut records: Vec<Vec<u8>> = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        let at = message.came.unwrap();
        let millis = u64::try_from(at.as_millisecond()).unwrap();
        let mut bytes = [7; 10];
        bytes[2..].copy_from_slice(&(number as u64).to_be_bytes());
        let id = Builder::from_unix_timestamp_millis(millis, &bytes)
            .into_uuid()
            .to_string();
        let record = json!({
            "v": 1, "id": id, "source": message.source, "key": "k1",
            "received_at": format!("{at:.6}"), "method": "GET",
            "query": {"utf8": message.query}, "content_type": null, "body": null,
            "remote": "192.0.2.1", "headers": {}, "via": "http",
        });
        records.push(record.to_string().into_bytes());
        assert!(sent.insert(id, (*message).clone()).is_none());
    }
    for partition in 0..3 {
        let of_it = records.iter().skip(partition).step_by(3).map(Vec::as_slice);
        let of_it: Vec<&[u8]> = of_it.collect();
        pipeline
            .topic
            .publish(i32::try_from(partition).unwrap(), &of_it);
    }
    sent
}

/// The conversions, with the times at which their records say that they were received.
pub(super) fn received(pipeline: &Pipeline, sent: &Sent) -> Vec<Received> {
    let records = pipeline.topic.records();
    let of_ours = records.iter().filter_map(|record| {
        let (id, at) = (text(record, "id"), at(record));
        let says = sent[&id].says.clone().ok()?;
        Some(Received { id, at, says })
    });
    of_ours.collect()
}

/// All postbacks, imported ones included.
pub(super) fn postbacks(pipeline: &Pipeline, sent: &Sent) -> Vec<Postback> {
    let records = pipeline.topic.records();
    let postback = |record: &Value| {
        let id = text(record, "id");
        let message = sent.get(&id);
        let source = text(record, "source");
        let marker = message.and_then(|message| message.query.strip_prefix("pbt="));
        Postback {
            source: SOURCES.into_iter().find(|known| *known == source).unwrap(),
            via: text(record, "via"),
            at: at(record),
            marker: marker.map_or("", |rest| &rest[..1]).to_owned(),
            reasons: message
                .and_then(|one| one.says.clone().err())
                .unwrap_or_default(),
            id,
        }
    };
    records.iter().map(postback).collect()
}

fn text(record: &Value, name: &str) -> String {
    record[name].as_str().unwrap().to_owned()
}

fn at(record: &Value) -> Timestamp {
    text(record, "received_at").parse().unwrap()
}

/// The shop's orders, from a file and by POST, and both of the network's reports.
pub(super) fn import(pipeline: &Pipeline, keys: &Keys, own: &Own) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let [first, second] = &own.statements;
    for (what, source, file) in [
        ("order", "shop", file("orders.csv", &own.csv)),
        ("statement", "items", file("february.csv", first)),
        ("statement", "items", file("again.csv", second)),
    ] {
        let file = file.to_str().unwrap();
        pipeline.json(&[what, "import", file, "--source", source]);
    }
    let url = format!("http://{}/postback/{}", pipeline.address, keys.of("shop"));
    for post in &own.posts {
        let request = agent().post(&url).content_type("application/json");
        let answer = request.send(post).unwrap();
        assert_eq!(answer.status(), 200, "{post}");
    }
}

/// Three requests that are not let in.
pub(super) fn be_refused(pipeline: &Pipeline, keys: &Keys) {
    let agent = agent();
    let tracker = format!(
        "http://{}/postback/{}",
        pipeline.address,
        keys.of("tracker")
    );
    for _ in 0..2 {
        let answer = agent.delete(&tracker).call().unwrap();
        assert_eq!(answer.status(), 405);
    }
    let long = format!("{tracker}?x={}", "y".repeat(20_000));
    assert_eq!(agent.get(&long).call().unwrap().status(), 414);
    postback_tests::wait::until_true("refusals are loaded", || {
        let refused = "SELECT sum(1 + suppressed) FROM {db}.refusals WHERE source = 'tracker'";
        pipeline.database.count(refused) == 3
    });
}
