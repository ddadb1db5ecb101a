//! `postback watch` and `postback annotate`: breaks in weeks of postbacks that are written straight
//! into the tables, as a pipeline would have loaded them.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use postback_tests::pipeline::Pipeline;
use postback_tests::{Setup, program};
use serde_json::{Value, json};

use crate::templates::COMPLETE;

/// Eight weeks, one postback every 100 seconds, up to `quiet` seconds ago; of the last `lost` seconds
/// none has a click id, before one in ten has none.
fn load(pipeline: &Pipeline, quiet: u32, lost: u32) {
    let times =
        format!("SELECT now64(6) - {quiet} - number * 100 AS at, number FROM numbers(48384)");
    pipeline.database.run(&format!(
        "INSERT INTO {{db}}.postbacks_g1 (id, received_at, source, network, account, via, outcome, version) \
         SELECT generateUUIDv4(), at, 'shop', 'rakuten', 'shop', 'http', 'accepted', 1 FROM ({times})"
    ));
    pipeline.database.run(&format!(
        "INSERT INTO {{db}}.conversions_g1 (source, network, account, conversion_key, key_day, postback_id, kind, \
         status, click_id, sale_amount, currency, received_at, revision) \
         SELECT 'shop', 'rakuten', 'shop', generateUUIDv4(), toDate(at), generateUUIDv4(), 'transaction', 'reported', \
         if(at > now64(6) - {lost} OR number % 10 = 0, '', 'c'), toDecimal64(12.34, 4), 'USD', at, 1 FROM ({times}) \
         SETTINGS max_partitions_per_insert_block = 0"
    ));
}

fn prepared(name: &str, watch: &str) -> Pipeline {
    let pipeline = Setup::new(name).source("shop", COMPLETE).prepare();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(pipeline.configuration())
        .unwrap();
    writeln!(file, "[watch]\n{watch}").unwrap();
    pipeline.migrate();
    pipeline
}

fn alerts(pipeline: &Pipeline) -> (i32, Vec<Value>) {
    let finished = pipeline.postback(&["watch", "--once", "-o", "json"]);
    let answer: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.shown()));
    (
        finished.code,
        answer["meta"]["alerts"].as_array().unwrap().clone(),
    )
}

#[test]
fn nothing_loaded_and_nothing_wrong_are_said_in_words() {
    let pipeline = prepared("watch_well", "");
    let nothing = pipeline.postback(&["watch", "--once"]);
    assert_eq!(nothing.code, 0, "{}", nothing.shown());
    assert!(
        nothing.stdout.contains("Nothing is loaded yet"),
        "{}",
        nothing.shown()
    );
    load(&pipeline, 0, 0);
    let well = pipeline.postback(&["watch", "--once"]);
    assert_eq!(well.code, 0, "{}", well.shown());
    assert!(
        well.stdout.contains("All is well: 1 source as usual."),
        "{}",
        well.shown()
    );
}

#[test]
fn an_endpoint_that_is_switched_off_is_an_alert() {
    let pipeline = prepared("watch_silence", "");
    // 36 are expected in an hour.
    load(&pipeline, 3_600, 0);
    let (code, alerts) = alerts(&pipeline);
    assert_eq!((code, alerts.len()), (3, 1), "{alerts:?}");
    assert_eq!(alerts[0]["kind"], "silence");
    let missing = alerts[0]["measured"]["expected"].as_f64().unwrap();
    assert!((33.0..40.0).contains(&missing), "{missing}");
    assert!(alerts[0]["cause"].as_str().unwrap().starts_with("endpoint"));
}

#[test]
fn a_lost_identifier_is_an_alert_and_the_deploy_before_it_its_cause() {
    let pipeline = prepared("watch_identifier", "");
    load(&pipeline, 0, 3 * 3_600);
    let (code, before) = alerts(&pipeline);
    assert_eq!((code, before.len()), (3, 1), "{before:?}");
    assert_eq!(before[0]["kind"], "unattributed");
    assert!(
        before[0]["cause"]
            .as_str()
            .unwrap()
            .starts_with("identifier")
    );
    let three_hours_ago = pipeline
        .database
        .run("SELECT formatDateTime(now() - 10920, '%FT%TZ')");
    let marked = pipeline.postback(&[
        "annotate",
        "deployed checkout 4.2",
        "--at",
        three_hours_ago.trim(),
        "--source",
        "shop",
    ]);
    assert_eq!(marked.code, 0, "{}", marked.shown());
    let listed = pipeline.postback(&["annotate", "ls", "-o", "json"]);
    assert!(
        listed.stdout.contains("deployed checkout 4.2"),
        "{}",
        listed.shown()
    );
    let (_, after) = alerts(&pipeline);
    assert_eq!(after[0]["annotation"]["text"], "deployed checkout 4.2");
    assert!(
        after[0]["cause"]
            .as_str()
            .unwrap()
            .starts_with("deploy or change")
    );
}

/// The body of the next request, which is answered with a status.
fn receive(listener: &TcpListener, status: &str) -> Value {
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "the request ends early");
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
        if let Some(Ok(body)) = body.map(serde_json::from_str::<Value>) {
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
            return body;
        }
    }
}

#[test]
fn a_running_watch_posts_each_alert_until_it_is_taken() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let pipeline = prepared(
        "watch_webhook",
        &format!(
            "interval_seconds = 5\nwebhook_url = \"http://127.0.0.1:{port}/t0ken\"\nwebhook_allow = [\"127.0.0.1\"]\n"
        ),
    );
    load(&pipeline, 3_600, 0);
    let mut watching = Command::new(program::binary("postback"))
        .arg("-c")
        .arg(pipeline.configuration())
        .arg("watch")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let first = receive(&listener, "503 Busy");
    let again = receive(&listener, "204 No Content");
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert_eq!(first, again);
    assert_eq!(
        (&again["event"], &again["source"], &again["kind"]),
        (&json!("alert"), &json!("shop"), &json!("silence"))
    );
}
