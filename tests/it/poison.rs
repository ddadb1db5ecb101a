//! Messages in the topic that ingest never wrote.

use postback_tests::raw::{exchange, request};
use postback_tests::{Setup, wait};

use crate::templates::COMPLETE;

const KNOWN: &str = r#"{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0023af5570ee","source":"SOURCE","key":"k1","received_at":"2026-09-01T00:00:00.000000Z","method":"GET","query":{"utf8":"is_event=N&etransaction_id=0123456789abcdef0123456789abcdef&transaction_date=2026-08-31T00:00:00Z"},"content_type":null,"body":null,"remote":"203.0.113.7","headers":{},"via":"http"}"#;

#[test]
fn bytes_that_are_no_record_and_unknown_sources_become_rejected_rows() {
    let running = Setup::new("poison").source("rakuten-us", COMPLETE).start();
    let pipeline = &running.pipeline;
    let known = KNOWN.replace("SOURCE", "rakuten-us");
    let unknown = KNOWN
        .replace("SOURCE", "long-gone")
        .replace("5570ee", "5570ef");
    pipeline.topic.publish(
        0,
        &[
            b"\xff\x00 not a record",
            b"not a record",
            known.as_bytes(),
            unknown.as_bytes(),
        ],
    );
    pipeline.wait_until_loaded(4);
    let rows = pipeline.database.rows(
        "SELECT source, outcome, arrayStringConcat(reasons, ',') AS reasons, kafka_partition, kafka_offset
         FROM {db}.postbacks ORDER BY kafka_offset",
    );
    let shown: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {} {}",
                row["source"].as_str().unwrap(),
                row["outcome"].as_str().unwrap(),
                row["reasons"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            " rejected not_a_record",
            " rejected not_a_record",
            "rakuten-us accepted ",
            "long-gone rejected unknown_source"
        ]
    );
}

#[test]
fn a_record_of_a_later_version_stops_its_partition_loudly_and_no_other() {
    let running = Setup::new("later_version")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let later = KNOWN
        .replace("SOURCE", "rakuten-us")
        .replace("\"v\":1", "\"v\":2");
    let behind = KNOWN.replace("SOURCE", "rakuten-us");
    pipeline
        .topic
        .publish(1, &[later.as_bytes(), behind.as_bytes()]);
    wait::until_true("the stop is visible", || {
        pipeline
            .readiness(pipeline.consumer_admin)
            .is_some_and(|(status, text)| {
                status == 503 && text.contains("version 2") && text.contains("upgrade")
            })
    });
    let other = behind.replace("5570ee", "5570aa");
    pipeline.topic.publish(0, &[other.as_bytes()]);
    pipeline.wait_until_loaded(1);
    let partitions = pipeline
        .database
        .rows("SELECT kafka_partition FROM {db}.postbacks");
    assert_eq!(partitions[0]["kafka_partition"], 0);
    assert!(running.consumer.process().is_running());
    let bytes = request("HEAD", pipeline.sources[0].path().as_bytes(), "", b"");
    assert_eq!(
        exchange(pipeline.address, &bytes).unwrap().status,
        200,
        "ingest does not care"
    );
}
