//! One test postback through the real endpoint, followed to its row, or to where it stopped.

use postback_tests::pipeline::Pipeline;
use postback_tests::{Setup, wait};
use serde_json::Value;

use crate::templates::COMPLETE;

fn send(pipeline: &Pipeline, arguments: &[&str]) -> (i32, Value) {
    let address = format!("http://{}", pipeline.address);
    let all = [
        "send",
        "--source",
        "rakuten-us",
        "--url",
        &address,
        "-o",
        "json",
    ];
    let finished = pipeline.postback(&[&all, arguments].concat());
    assert!(!finished.shown().contains(&pipeline.sources[0].key));
    let shown = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.shown()));
    (finished.code, shown)
}

/// Each step, and whether it was good.
fn steps(shown: &Value) -> Vec<(String, bool)> {
    let rows = shown["rows"].as_array().unwrap().iter();
    let step = |row: &Value| {
        (
            row["step"].as_str().unwrap().to_owned(),
            row["good"].as_bool().unwrap(),
        )
    };
    // How long it took depends on the machine.
    rows.map(step)
        .filter(|(step, _)| step != "in time")
        .collect()
}

fn named(names: &[&str], last_is_good: bool) -> Vec<(String, bool)> {
    let last = names.len() - 1;
    let step = |(place, name): (usize, &&str)| ((*name).to_owned(), place < last || last_is_good);
    names.iter().enumerate().map(step).collect()
}

#[test]
fn a_test_postback_is_followed_to_its_row_and_is_in_no_sum() {
    let running = Setup::new("send").source("rakuten-us", COMPLETE).start();
    let pipeline = &running.pipeline;
    let whole = ["connected", "answered", "in Kafka", "loaded", "conversion"];
    let (_, shown) = send(pipeline, &["--wait", "120", "--set", "u1=mine"]);
    assert_eq!(steps(&shown), named(&whole, true), "{shown}");
    assert_eq!(shown["meta"]["status"], 200);
    let id = shown["meta"]["id"].as_str().unwrap();
    let row = format!(
        "SELECT kind, click_id, order_id FROM {{db}}.conversions WHERE postback_id = '{id}'"
    );
    let row = pipeline.database.rows(&row).remove(0);
    assert_eq!(
        (&row["kind"], &row["click_id"]),
        (&"signal".into(), &"mine".into())
    );
    assert!(
        row["order_id"].as_str().unwrap().starts_with("TEST-"),
        "{row}"
    );

    let (_, shown) = send(
        pipeline,
        &[
            "--wait",
            "120",
            "--transaction",
            "--set",
            "sale_amount=12.50",
        ],
    );
    assert_eq!(steps(&shown), named(&whole, true), "{shown}");
    let summed = pipeline.database.rows(
        "SELECT toString(sum(sale_amount)) AS sale, count() AS n FROM {db}.conversions WHERE kind = 'transaction'",
    );
    assert_eq!(
        summed[0]["sale"], "12.5",
        "the signal is in no sum: {summed:?}"
    );
}

#[test]
fn it_says_where_it_stopped() {
    let pipeline = Setup::new("send_stops")
        .source("rakuten-us", COMPLETE)
        .prepare();
    pipeline.migrate();
    // Nobody listens.
    let (code, shown) = send(&pipeline, &[]);
    assert_eq!(
        (code, steps(&shown)),
        (3, named(&["connect"], false)),
        "{shown}"
    );

    // No consumer runs.
    let ingest = pipeline.start_ingest();
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    let (code, shown) = send(&pipeline, &["--wait", "5"]);
    let reached = ["connected", "answered", "in Kafka", "loaded"];
    assert_eq!(
        (code, steps(&shown)),
        (3, named(&reached, false)),
        "{shown}"
    );

    // It has a row, and is rejected.
    let consumer = pipeline.start_consumer();
    pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);
    let (code, shown) = send(&pipeline, &["--wait", "120", "--set", "etransaction_id="]);
    assert_eq!(
        (code, steps(&shown)),
        (3, named(&reached, false)),
        "{shown}"
    );
    let last = shown["rows"].as_array().unwrap().last().unwrap();
    assert_eq!(last["detail"], "rejected: missing_identity");

    // The key is of no source any more.
    drop(consumer);
    let mut pipeline = pipeline;
    let old = std::mem::take(&mut pipeline.sources[0].key);
    "another-key-0123456789abcdef".clone_into(&mut pipeline.sources[0].key);
    pipeline.write_configuration();
    let file = pipeline.configuration().with_file_name("key");
    std::fs::write(&file, &old).unwrap();
    let finished = pipeline.postback(&[
        "send",
        "--source",
        "rakuten-us",
        "--key-file",
        file.to_str().unwrap(),
    ]);
    assert_eq!(finished.code, 2, "{}", finished.shown());
    assert!(
        finished.stderr.contains("is none of source rakuten-us"),
        "{}",
        finished.shown()
    );
    // Ingest has not read the new key yet.
    let (code, shown) = send(&pipeline, &[]);
    assert_eq!(
        (code, shown["meta"]["status"].as_u64()),
        (3, Some(404)),
        "{shown}"
    );
    wait::until_true("ingest still runs", || ingest.process().is_running());
}
