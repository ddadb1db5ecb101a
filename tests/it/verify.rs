//! `postback verify` finds what is wrong, and nothing else.

use std::collections::BTreeSet;

use postback_simulator::{Ledger, plan};
use postback_tests::pipeline::{Pipeline, Running};
use postback_tests::{Setup, wait};
use serde_json::Value;

use crate::main_path::scenario;
use crate::templates::COMPLETE;

/// A pipeline with this many postbacks loaded, and its ledger.
fn loaded(name: &str, postbacks: u32) -> (Running, Ledger) {
    let running = Setup::new(name).source("rakuten-us", COMPLETE).start();
    let ledger = send(&running.pipeline, 61, postbacks);
    running
        .pipeline
        .wait_until_loaded(ledger.counts().acknowledged);
    wait_until_committed(&running.pipeline);
    (running, ledger)
}

fn send(pipeline: &Pipeline, seed: u64, postbacks: u32) -> Ledger {
    pipeline.send(plan(
        &scenario(seed, postbacks).events,
        &pipeline.registration(0),
    ))
}

/// What is not committed is not looked at.
fn wait_until_committed(pipeline: &Pipeline) {
    wait::until_true("all is committed", || {
        verify(pipeline, &[]).1["meta"]["not_loaded_yet"] == 0
    });
}

/// Runs it for programs.
fn verify(pipeline: &Pipeline, arguments: &[&str]) -> (i32, Value) {
    let finished = pipeline.postback(&[&["-o", "json", "verify"], arguments].concat());
    let shown: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.shown()));
    (finished.code, shown)
}

fn count(shown: &Value, name: &str) -> u64 {
    shown["meta"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name}: {shown}"))
}

/// The ids, or keys, of one finding.
fn ids<'a>(shown: &'a Value, finding: &str) -> BTreeSet<&'a str> {
    let rows = shown["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["finding"] == finding)
        .map(|row| row["id"].as_str().unwrap())
        .collect()
}

const FINDINGS: [&str; 5] = [
    "missing",
    "extra",
    "two_days",
    "no_conversion",
    "wrong_revision",
];

/// Asserts that these findings have so many, and all others none.
fn assert_only(shown: &Value, expected: &[(&str, u64)]) {
    for finding in FINDINGS {
        let expected = expected.iter().find(|(name, _)| *name == finding);
        let expected = expected.map_or(0, |(_, count)| *count);
        assert_eq!(count(shown, finding), expected, "{finding}: {shown}");
    }
}

#[test]
fn a_loaded_topic_is_whole_with_repeats_garbage_and_several_partitions() {
    let (running, ledger) = loaded("verify_whole", 800);
    let pipeline = &running.pipeline;
    // The same record again, as a spool sends it: in another partition, too.
    let again = pipeline.topic.messages();
    let (partition, record) = &again[0];
    pipeline.topic.publish(*partition, &[record]);
    pipeline.topic.publish((partition + 1) % 3, &[record]);
    pipeline.topic.publish(2, &[b"no record", b"\xff\xfe"]);
    // Clocks that went wrong, beyond what ClickHouse's dates reach.
    for (at, id) in [
        ("1899-06-01", "01a05a43-fc00-7f54-8d8e-000000000001"),
        ("2150-06-01", "01a05a43-fc00-7f54-8d8e-000000000002"),
    ] {
        let mut wrong: Value = serde_json::from_slice(record).unwrap();
        wrong["received_at"] = format!("{at}T00:00:00.000000Z").into();
        wrong["id"] = id.into();
        pipeline.topic.publish(1, &[wrong.to_string().as_bytes()]);
    }
    let rows = ledger.counts().acknowledged + 4;
    pipeline.wait_until_loaded(rows);
    wait_until_committed(&running.pipeline);

    let (code, shown) = verify(&running.pipeline, &[]);
    assert_only(&shown, &[]);
    assert_eq!((code, count(&shown, "records")), (0, rows + 2), "{shown}");
    assert_eq!(count(&shown, "copies"), 2);
    assert_eq!(shown["meta"]["well"], true);

    let (code, of_source) = verify(&running.pipeline, &["--source", "rakuten-us"]);
    assert_only(&of_source, &[]);
    assert_eq!(code, 0, "{of_source}");

    let table = running.pipeline.postback(&["verify"]);
    assert!(
        table.code == 0
            && table
                .stdout
                .contains("Nothing is missing, and nothing counts twice."),
        "{}",
        table.shown()
    );
    assert!(
        table.stdout.contains("2 records stand twice in the topic"),
        "{}",
        table.shown()
    );
}

#[test]
fn rows_that_are_missing_or_too_many_are_named() {
    let (running, ledger) = loaded("verify_rows", 600);
    let database = &running.pipeline.database;
    let acknowledged = ledger.acknowledged_ids();
    let lost: BTreeSet<&str> = acknowledged.iter().copied().step_by(97).collect();
    let list: Vec<String> = lost.iter().map(|id| format!("'{id}'")).collect();
    database.run(&format!(
        "ALTER TABLE {{db}}.postbacks_g1 DELETE WHERE id IN ({}) SETTINGS mutations_sync = 2",
        list.join(",")
    ));
    let (code, shown) = verify(&running.pipeline, &[]);
    assert_only(&shown, &[("missing", lost.len() as u64)]);
    assert_eq!((code, ids(&shown, "missing")), (3, lost.clone()), "{shown}");
    assert_eq!(count(&shown, "records"), acknowledged.len() as u64);

    // One that Kafka never had, under an offset that another record has.
    let invented = "01a05a43-fc00-7f54-8d8e-0023af557000";
    database.run(&format!(
        "INSERT INTO {{db}}.postbacks_g1 SELECT * REPLACE (toUUID('{invented}') AS id) \
         FROM {{db}}.postbacks_g1 WHERE kafka_partition = 1 LIMIT 1"
    ));
    let (code, shown) = verify(&running.pipeline, &["--limit", "2"]);
    assert_only(&shown, &[("missing", lost.len() as u64), ("extra", 1)]);
    assert_eq!(
        (code, ids(&shown, "missing").len()),
        (3, 2),
        "only so many are listed"
    );
    assert_eq!(ids(&shown, "extra"), BTreeSet::from([invented]));

    let finished = running.pipeline.postback(&["verify", "--to", "2020-01-01"]);
    assert_eq!(
        finished.code,
        0,
        "nothing was received by then: {}",
        finished.shown()
    );
    let table = running.pipeline.postback(&["verify"]);
    assert!(
        table.stdout.contains("records without a row")
            && table.stdout.contains("1 row without a record"),
        "{}",
        table.shown()
    );
}

#[test]
fn keys_under_two_days_and_conversions_that_are_gone_are_named() {
    let (running, _) = loaded("verify_keys", 400);
    let database = &running.pipeline.database;
    let key = |offset: u32| {
        let sql = format!(
            "SELECT toString(conversion_key) FROM {{db}}.conversions ORDER BY conversion_key LIMIT 1 OFFSET {offset}"
        );
        database.run(&sql).trim().to_owned()
    };
    let (doubled, gone) = (key(3), key(7));
    database.run(&format!(
        "INSERT INTO {{db}}.conversions_g1 SELECT * REPLACE (key_day + 1 AS key_day) \
         FROM {{db}}.conversions WHERE conversion_key = '{doubled}'"
    ));
    database.run(&format!(
        "ALTER TABLE {{db}}.conversions_g1 DELETE WHERE conversion_key = '{gone}' SETTINGS mutations_sync = 2"
    ));
    let (code, shown) = verify(&running.pipeline, &[]);
    assert_only(&shown, &[("two_days", 1), ("no_conversion", 1)]);
    assert_eq!(code, 3);
    assert_eq!(ids(&shown, "two_days"), BTreeSet::from([doubled.as_str()]));
    assert_eq!(
        ids(&shown, "no_conversion"),
        BTreeSet::from([gone.as_str()])
    );
    // Another range, another source: not asked for.
    let (code, shown) = verify(
        &running.pipeline,
        &["--from", "2000-01-01", "--to", "2001-01-01"],
    );
    assert_only(&shown, &[]);
    assert_eq!((code, count(&shown, "records")), (0, 0));
}

#[test]
fn a_view_that_shows_a_replaced_revision_is_found() {
    let (running, _) = loaded("verify_view", 400);
    let database = &running.pipeline.database;
    // One key with two revisions, of which the view is made to show the lower.
    let key = database.run("SELECT toString(min(conversion_key)) FROM {db}.conversions");
    let key = key.trim();
    database.run("SYSTEM STOP MERGES {db}.conversions_g1");
    database.run(&format!(
        "INSERT INTO {{db}}.conversions_g1 SELECT * REPLACE (revision + 1 AS revision) \
         FROM {{db}}.conversions WHERE conversion_key = '{key}'"
    ));
    let (code, shown) = verify(&running.pipeline, &[]);
    assert_only(&shown, &[]);
    assert_eq!(code, 0, "the view folds it: {shown}");
    database.run(
        "CREATE OR REPLACE VIEW {db}.conversions AS SELECT * FROM {db}.conversions_g1 \
         ORDER BY revision LIMIT 1 BY account, key_day, conversion_key",
    );
    let (code, shown) = verify(&running.pipeline, &[]);
    let wrong = count(&shown, "wrong_revision");
    assert!(
        code == 3 && ids(&shown, "wrong_revision").contains(key) && wrong >= 1,
        "{shown}"
    );
}

#[test]
fn what_waits_and_what_is_not_there_is_said() {
    let (running, ledger) = loaded("verify_waits", 200);
    let Running {
        ingest: _ingest,
        consumer,
        pipeline,
    } = running;
    assert_eq!(consumer.terminate(), 0);
    let more = send(&pipeline, 62, 100);
    let (code, shown) = verify(&pipeline, &[]);
    assert_only(&shown, &[]);
    let expected = (0, ledger.counts().acknowledged, more.counts().acknowledged);
    let found = (
        code,
        count(&shown, "records"),
        count(&shown, "not_loaded_yet"),
    );
    assert_eq!(found, expected, "{shown}");

    // The table under the group's feet: everything is missing.
    pipeline.database.run("TRUNCATE TABLE {db}.postbacks_g1");
    let (code, shown) = verify(&pipeline, &[]);
    assert_eq!(
        (code, count(&shown, "missing")),
        (3, ledger.counts().acknowledged)
    );
    let doctor = pipeline.postback(&["doctor"]);
    assert!(
        doctor.code == 3
            && doctor.stdout.contains("has read the topic, and database")
            && doctor.stdout.contains("--reset-offsets"),
        "{}",
        doctor.shown()
    );
    pipeline.topic.remove();
    wait::until_true("the topic is gone", || !pipeline.topic.exists());
    let finished = pipeline.postback(&["verify"]);
    assert!(
        finished.code == 1 && finished.stderr.contains("postback migrate"),
        "{}",
        finished.shown()
    );
    assert_eq!(pipeline.postback(&["verify", "--from", "soon"]).code, 2);
    assert_eq!(pipeline.postback(&["verify", "--source", "nobody"]).code, 2);
}

#[test]
fn an_empty_topic_and_one_without_tables_are_told_apart() {
    let pipeline = Setup::new("verify_empty")
        .source("rakuten-us", COMPLETE)
        .prepare();
    let finished = pipeline.postback(&["verify"]);
    assert!(
        finished.code == 1 && finished.stderr.contains("postback migrate"),
        "{}",
        finished.shown()
    );
    pipeline.migrate();
    let finished = pipeline.postback(&["verify"]);
    assert!(
        finished.code == 0 && finished.stdout.contains("has no record"),
        "{}",
        finished.shown()
    );
}

#[test]
fn a_topic_that_was_made_again_explains_its_rows() {
    let (running, before) = loaded("verify_again", 300);
    let pipeline = &running.pipeline;
    pipeline.topic.remove();
    wait::until_true("the topic is made again", || {
        pipeline.postback(&["migrate"]).code == 0
            && pipeline.topic.exists()
            && pipeline.topic.end() == 0
    });
    pipeline.wait_until_ready(pipeline.ingest_admin, &running.ingest);
    let after = send(&running.pipeline, 63, 500);
    pipeline.wait_until_loaded_at_least(&after);
    wait_until_committed(&running.pipeline);
    let (code, shown) = verify(&running.pipeline, &[]);
    assert_only(&shown, &[]);
    assert_eq!(code, 0, "{shown}");
    let (older, earlier) = (
        count(&shown, "rows_older_than_topic"),
        count(&shown, "rows_of_an_earlier_topic"),
    );
    let beyond = before.counts().acknowledged - older - earlier;
    assert!(
        earlier > 0 && beyond < before.counts().acknowledged,
        "{shown}"
    );
}
