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
        table.stdout.contains("2 records twice in the topic"),
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

#[test]
fn a_renamed_sources_records_are_compared_under_its_new_name() {
    let (running, ledger) = loaded("verify_renamed", 300);
    let Running {
        ingest: _ingest,
        consumer,
        pipeline,
    } = running;
    assert_eq!(consumer.terminate(), 0);
    let file = std::fs::read_to_string(pipeline.configuration()).unwrap();
    let renamed = file.replace(
        "name = \"rakuten-us\"\n",
        "name = \"rakuten-usa\"\naccount = \"rakuten-us\"\naliases = [\"rakuten-us\"]\n",
    );
    std::fs::write(pipeline.configuration(), renamed).unwrap();
    let all = ledger.counts().acknowledged;

    // The rows have the old name, and so are asked for by it.
    let (code, shown) = verify(&pipeline, &["--source", "rakuten-us"]);
    assert_only(&shown, &[]);
    assert_eq!((code, count(&shown, "records")), (0, all), "{shown}");

    let _consumer = pipeline.start_consumer();
    pipeline.json(&["replay", "start", "--activate", "--wait"]);
    wait_until_committed(&pipeline);
    let lost: Vec<String> = (ledger.acknowledged_ids().iter().step_by(60))
        .map(|id| format!("'{id}'"))
        .collect();
    pipeline.database.run(&format!(
        "ALTER TABLE {{db}}.postbacks_g2 DELETE WHERE id IN ({}) SETTINGS mutations_sync = 2",
        lost.join(",")
    ));
    for name in ["rakuten-usa", "rakuten-us"] {
        let (code, shown) = verify(&pipeline, &["--source", name]);
        assert_only(&shown, &[("missing", lost.len() as u64)]);
        assert_eq!((code, count(&shown, "records")), (3, all), "{shown}");
        assert_eq!(shown["meta"]["source"], "rakuten-usa");
    }
}

/// A record of the shop with an order of each of these numbers.
fn orders(id: &str, minute: u32, numbers: &[u32]) -> Vec<u8> {
    let order = |number: &u32| {
        serde_json::json!({
            "order_id": format!("A-{number}"), "ordered_at": "2026-09-01T10:00:00Z",
            "amount": format!("{number}.50"), "status": "paid",
        })
    };
    let body: Vec<Value> = numbers.iter().map(order).collect();
    let record = serde_json::json!({
        "v": 1, "id": id, "source": "shop", "key": "k1",
        "received_at": format!("2026-09-02T00:{minute:02}:00.000000Z"), "method": "POST",
        "query": {"utf8": ""}, "content_type": "application/json",
        "body": {"utf8": Value::from(body).to_string()}, "remote": "203.0.113.9", "headers": {},
        "via": "http",
    });
    record.to_string().into_bytes()
}

#[test]
fn an_array_of_orders_without_a_conversion_is_found_and_one_that_was_replaced_is_not() {
    let shop =
        "[[source]]\nname = \"shop\"\nnetwork = \"orders\"\ncurrency = \"USD\"\nenabled = false\n";
    let running = Setup::new("verify_arrays")
        .lines("consumer", shop)
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let ids = [1, 2, 3, 4].map(|n| format!("01a05a43-fc00-7f54-8d8e-00000000000{n}"));
    // The second says all of the first again; the third is half replaced by the fourth.
    let sent = [
        orders(&ids[0], 1, &[1, 2, 3]),
        orders(&ids[1], 2, &[1, 2, 3, 4]),
        orders(&ids[2], 3, &[10, 11]),
        orders(&ids[3], 4, &[11, 12]),
    ];
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    pipeline.topic.publish(1, &sent);
    pipeline.wait_until_loaded(4);
    wait_until_committed(pipeline);
    assert_eq!(
        pipeline.database.count("SELECT count() FROM {db}.orders"),
        7
    );
    pipeline
        .database
        .run("OPTIMIZE TABLE {db}.conversions_g1 FINAL");
    let (code, shown) = verify(pipeline, &[]);
    assert_only(&shown, &[]);
    assert_eq!((code, count(&shown, "records")), (0, 4), "{shown}");

    // A generation of the same rules has the same, order by order.
    pipeline.json(&["replay", "start", "--wait"]);
    let same = pipeline.postback(&["generation", "diff", "1", "2"]);
    assert!(
        same.code == 0 && same.stdout.contains("They are the same."),
        "{}",
        same.shown()
    );

    let delete = |condition: &str| {
        pipeline.database.run(&format!(
            "ALTER TABLE {{db}}.conversions_g1 DELETE WHERE {condition} SETTINGS mutations_sync = 2"
        ));
    };
    // What is left of the third record is no proof that it was whole; of the second nothing is left.
    delete("order_id IN ('A-1', 'A-2', 'A-3', 'A-4', 'A-10')");
    let (code, shown) = verify(pipeline, &[]);
    // The orders of the second record; three of them are the first's, too.
    assert_only(&shown, &[("no_conversion", 4)]);
    assert_eq!(code, 3, "{shown}");
    let key = pipeline.database.run(
        "SELECT toString(conversion_key) FROM {db}.conversions_g2 FINAL WHERE order_id = 'A-4'",
    );
    assert!(ids_of(&shown).contains(key.trim()), "{shown}");
    assert_eq!(ids_of(&shown).len(), 4, "keys: {shown}");
    let (code, shown) = verify(pipeline, &["--limit", "1", "--source", "shop"]);
    assert_eq!((code, ids_of(&shown).len()), (3, 1), "{shown}");
    let (code, shown) = verify(pipeline, &["--source", "rakuten-us"]);
    assert_only(&shown, &[]);
    assert_eq!(code, 0, "{shown}");

    let differs = pipeline.postback(&["-o", "json", "generation", "diff", "1", "2"]);
    assert_eq!(differs.code, 3, "{}", differs.shown());
    assert!(
        differs
            .stdout
            .contains("of postbacks with several, in one of the two only"),
        "{}",
        differs.shown()
    );
}

fn ids_of(shown: &Value) -> BTreeSet<&str> {
    ids(shown, "no_conversion")
}
