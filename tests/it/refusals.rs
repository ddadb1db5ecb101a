//! What ingest refused leaves a trace: a record in its topic, and a row of the view `refusals`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use postback_tests::pipeline::{Pipeline, get};
use postback_tests::raw::{exchange, request};
use postback_tests::{Setup, wait};
use serde_json::{Value, json};

use crate::templates::COMPLETE;

const ROWS: &str = "SELECT reason, status, source, key, method, path, query, query_bytes, remote, user_agent, \
     cut, suppressed FROM {db}.refusals ORDER BY refused_at, id";

/// Waits for so many rows, and sees that no more came.
fn rows(pipeline: &Pipeline, many: usize) -> Vec<Value> {
    let rows = wait::until(&format!("{many} refusals are loaded"), || {
        pipeline
            .database
            .try_run("SELECT 1 FROM {db}.refusals LIMIT 1")
            .ok()?;
        let rows = pipeline.database.rows(ROWS);
        (rows.len() >= many).then_some(rows)
    });
    assert_eq!(rows.len(), many, "{rows:?}");
    rows
}

/// What counts refusals, and what estimates them from the rows.
fn total(pipeline: &Pipeline, reason: &str) -> u64 {
    let sql = format!("SELECT sum(1 + suppressed) FROM {{db}}.refusals WHERE reason = '{reason}'");
    pipeline.database.count(&sql)
}

#[test]
fn each_reason_has_a_row() {
    let running = Setup::new("refusals")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let path = pipeline.sources[0].path();
    let key = &pipeline.sources[0].key;
    // The key has 39 characters.
    let hash = sha256(key);
    let masked = format!("/postback/[39 characters, sha256 {}]", &hash[..8]);
    let target = |query: &str| format!("{path}?{query}").into_bytes();
    let sent: Vec<(Vec<u8>, Value)> = vec![
        (
            request(
                "GET",
                b"/wp-login.php?x=1",
                "User-Agent: probe/1.0\r\n",
                b"",
            ),
            json!([
                "not_found",
                404,
                "",
                "",
                "GET",
                "/wp-login.php",
                "x=1",
                "3",
                "probe/1.0",
                []
            ]),
        ),
        (
            request("GET", b"/postback/0123456789?u1=a", "", b""),
            json!([
                "not_found",
                404,
                "",
                "",
                "GET",
                "/postback/[10 characters]",
                "u1=a",
                "4",
                "",
                []
            ]),
        ),
        (
            request(
                "GET",
                format!("/x?url=%2Fpostback%2F{key}&u1=a").as_bytes(),
                "",
                b"",
            ),
            json!([
                "not_found",
                404,
                "",
                "",
                "GET",
                "/x",
                format!(
                    "url=%2Fpostback%2F[39 characters, sha256 {}]&u1=a",
                    &hash[..8]
                ),
                "62",
                "",
                []
            ]),
        ),
        (
            request("PUT", &target("u1=a"), "", b""),
            json!([
                "wrong_method",
                405,
                "rakuten-us",
                "k1",
                "PUT",
                masked,
                "u1=a",
                "4",
                "",
                []
            ]),
        ),
        (
            request("GET", &target(&"q&".repeat(10_000)), "", b""),
            json!([
                "query_too_large",
                414,
                "rakuten-us",
                "k1",
                "GET",
                masked,
                "q&".repeat(1_024),
                "20000",
                "",
                ["query"]
            ]),
        ),
        (
            request(
                "POST",
                &target("u1=a"),
                "Content-Length: 70000\r\n",
                &[b'x'; 70_000],
            ),
            json!([
                "body_too_large",
                413,
                "rakuten-us",
                "k1",
                "POST",
                masked,
                "u1=a",
                "4",
                "",
                []
            ]),
        ),
        (
            request("POST", &target("u1=a"), "Content-Length: 10\r\n", b"12345"),
            json!([
                "body_incomplete",
                408,
                "rakuten-us",
                "k1",
                "POST",
                masked,
                "u1=a",
                "4",
                "",
                []
            ]),
        ),
        (
            b"hello\r\n\r\n".to_vec(),
            json!(["unparsable", 400, "", "", "", "", "", "0", "", []]),
        ),
        (
            request(
                "GET",
                &target("u1=a"),
                &format!("X: {}\r\n", "y".repeat(600_000)),
                b"",
            ),
            json!([
                "head_too_large",
                431,
                "rakuten-us",
                "k1",
                "GET",
                masked,
                "u1=a",
                "4",
                "",
                []
            ]),
        ),
        (
            b"GET /postback/canary-0".to_vec(),
            json!([
                "head_incomplete",
                408,
                "",
                "",
                "GET",
                "/postback/[8 characters]",
                "",
                "0",
                "",
                ["path"]
            ]),
        ),
    ];
    for (number, (bytes, _)) in sent.iter().enumerate() {
        drop(exchange(pipeline.address, bytes));
        // What is seen at a connection's end is noted after its answer: the order is kept by waiting.
        wait::until_true("it left a trace", || {
            pipeline.refused_topic.messages().len() > number
        });
    }
    let schema = include_str!("../../schemas/refusal.v1.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    for record in pipeline.refused_topic.records() {
        schema
            .validate(&record)
            .unwrap_or_else(|error| panic!("{record}: {error}"));
    }
    let columns = [
        "reason",
        "status",
        "source",
        "key",
        "method",
        "path",
        "query",
        "query_bytes",
        "user_agent",
        "cut",
    ];
    for (row, (_, expected)) in rows(pipeline, sent.len()).iter().zip(&sent) {
        let found: Vec<&Value> = columns.iter().map(|column| &row[column]).collect();
        assert_eq!(&json!(found), expected);
        assert_eq!(
            (&row["remote"], &row["suppressed"]),
            (&json!("127.0.0.1"), &json!("0"))
        );
    }
    assert!(
        pipeline.topic.messages().is_empty(),
        "no postback among them"
    );
}

#[test]
fn a_flood_leaves_some_rows_that_tell_of_the_others() {
    let running = Setup::new("refusals_flood")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let one = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = request("GET", b"/x", "", b"");
    let flood = [one.repeat(999), last.clone()].concat();
    assert_eq!(exchange(pipeline.address, &flood).unwrap().status, 404);
    // A burst of 100, and one more each 100 ms; the next one tells of those before it.
    let mut sent = 1_000;
    wait::until_true("all are told", || {
        assert_eq!(exchange(pipeline.address, &last).unwrap().status, 404);
        sent += 1;
        total(pipeline, "not_found") >= 1_000
    });
    assert!(total(pipeline, "not_found") <= sent);
    let rows = pipeline.database.count("SELECT count() FROM {db}.refusals");
    assert!((100..900).contains(&rows), "{rows} rows of {sent} refusals");
    let metrics = get(pipeline.ingest_admin, "/metrics").unwrap().1;
    let refused = format!("postback_ingest_refusals_total{{reason=\"not_found\"}} {sent}\n");
    assert!(metrics.contains(&refused), "{metrics}");
    let dropped = "postback_ingest_refused_records_total{outcome=\"dropped\"} 0\n";
    assert!(metrics.contains(dropped), "{metrics}");
}

#[test]
fn what_is_no_record_is_skipped_and_what_waited_is_loaded() {
    let running = Setup::new("refusals_poison")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let refused = |path: &str| {
        let bytes = request("GET", path.as_bytes(), "", b"");
        assert_eq!(exchange(pipeline.address, &bytes).unwrap().status, 404);
    };
    let later = br#"{"v":2,"id":"01a05a43-fc00-7f54-8d8e-0023af5570ee"}"#;
    pipeline
        .refused_topic
        .publish(0, &[b"\xff no record", later]);
    refused("/first");
    rows(pipeline, 1);
    let skipped = "postback_consumer_refusals_skipped_total 2\n";
    wait::until_true("what was skipped is counted", || {
        get(pipeline.consumer_admin, "/metrics").is_some_and(|(_, text)| text.contains(skipped))
    });
    pipeline.wait_until_ready(pipeline.consumer_admin, &running.consumer);

    assert_eq!(running.consumer.terminate(), 0);
    refused("/second");
    wait::until_true("it is in Kafka", || {
        pipeline.refused_topic.messages().len() == 4
    });
    let consumer = pipeline.start_consumer();
    let paths: Vec<Value> = rows(pipeline, 2)
        .iter()
        .map(|row| row["path"].clone())
        .collect();
    assert_eq!(paths, ["/first", "/second"]);
    let loaded = "postback_consumer_refusals_loaded_total 1\n";
    wait::until_true(
        "offsets were committed: only the second one was loaded",
        || get(pipeline.consumer_admin, "/metrics").is_some_and(|(_, text)| text.contains(loaded)),
    );
    let lag = "postback_consumer_refusals_lag_records 0\n";
    wait::until_true("nothing waits", || {
        get(pipeline.consumer_admin, "/metrics").is_some_and(|(_, text)| text.contains(lag))
    });
    assert_eq!(consumer.terminate(), 0);
}

#[test]
fn without_the_topic_everything_else_works_and_the_consumer_makes_it() {
    let pipeline = Setup::new("refusals_topic")
        .source("rakuten-us", COMPLETE)
        .prepare();
    pipeline.migrate();
    pipeline.refused_topic.remove();
    let ingest = pipeline.start_ingest();
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    let stranger = request("GET", b"/x", "", b"");
    let postback = request(
        "GET",
        format!("{}?u1=a", pipeline.sources[0].path()).as_bytes(),
        "",
        b"",
    );
    assert_eq!(exchange(pipeline.address, &stranger).unwrap().status, 404);
    assert_eq!(exchange(pipeline.address, &postback).unwrap().status, 200);
    let dropped = "postback_ingest_refused_records_total{outcome=\"dropped\"} 1\n";
    wait::until_true("its record is dropped", || {
        get(pipeline.ingest_admin, "/metrics").is_some_and(|(_, text)| text.contains(dropped))
    });
    let doctor = pipeline.postback(&["doctor"]);
    assert!(
        doctor.stdout.contains(&format!(
            "there is no topic {}",
            pipeline.refused_topic.name()
        )),
        "{}",
        doctor.shown()
    );

    let consumer = pipeline.start_consumer();
    pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);
    pipeline.wait_until_loaded(1);
    wait::until_true(
        "refusals are recorded again, and tell of those that were not",
        || {
            assert_eq!(exchange(pipeline.address, &stranger).unwrap().status, 404);
            total(&pipeline, "not_found") >= 2
        },
    );
    let doctor = pipeline.postback(&["doctor"]);
    assert!(
        doctor.stdout.contains("-refused, 1 member"),
        "{}",
        doctor.shown()
    );
    assert_eq!((ingest.terminate(), consumer.terminate()), (0, 0));
}

/// By coreutils; asked of a server, the key would stand in its log.
fn sha256(text: &str) -> String {
    let mut sum = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = sum.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = sum.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
