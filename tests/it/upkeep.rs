//! What the consumer looks after by itself: samples of the topic, old months, what is unread.

use postback_simulator::plan;
use postback_tests::pipeline::{self, Pipeline, Running};
use postback_tests::{Setup, wait};

use crate::main_path::scenario;
use crate::templates::COMPLETE;

/// A sample of the consumer's metrics; `None` while it is not there.
fn metric(pipeline: &Pipeline, sample: &str) -> Option<f64> {
    let (_, page) = pipeline::get(pipeline.consumer_admin, "/metrics")?;
    let line = page.lines().find_map(|line| line.strip_prefix(sample));
    line.and_then(|rest| rest.trim().parse().ok())
}

fn at_least(pipeline: &Pipeline, sample: &str, least: f64) -> bool {
    metric(pipeline, sample).is_some_and(|value| value >= least)
}

#[test]
fn records_without_a_row_are_noticed_without_being_asked() {
    let running = Setup::new("spot_check")
        .source("rakuten-us", COMPLETE)
        .start();
    let Running {
        mut consumer,
        pipeline,
        ..
    } = running;
    let registration = pipeline.registration(0);
    let ledger = pipeline.send(plan(&scenario(71, 300).events, &registration));
    pipeline.wait_until_loaded(ledger.counts().acknowledged);
    wait::until_true("all is committed", || {
        let verify = pipeline.postback(&["-o", "json", "verify"]);
        verify.stdout.contains("\"not_loaded_yet\":0")
    });
    // It looks as soon as it coordinates.
    assert_eq!(consumer.terminate(), 0);
    consumer = pipeline.start_consumer();
    let checked = "postback_verify_checked_records_total ";
    wait::until_true("samples were compared", || {
        at_least(&pipeline, checked, 300.0)
    });
    let success = "postback_verify_last_success_timestamp_seconds ";
    // 2026-01-01: the time is in seconds since 1970, not in another unit.
    assert!((1_767_225_600.0..1e10).contains(&metric(&pipeline, success).unwrap()));
    let missing = "postback_verify_missing_records ";
    assert_eq!(metric(&pipeline, missing), Some(0.0));

    assert_eq!(consumer.terminate(), 0);
    pipeline.database.run("TRUNCATE TABLE {db}.postbacks_g1");
    let _consumer = pipeline.start_consumer();
    wait::until_true("what is missing is shown", || {
        at_least(&pipeline, missing, 300.0)
    });
}

#[test]
fn what_kafka_gave_up_while_nobody_loaded_is_told() {
    let running = Setup::new("given_up")
        .source("rakuten-us", COMPLETE)
        .start();
    let Running {
        consumer,
        pipeline,
        ingest: _ingest,
    } = running;
    let registration = pipeline.registration(0);
    let before = pipeline.send(plan(&scenario(72, 200).events, &registration));
    let before = before.counts().acknowledged;
    pipeline.wait_until_loaded(before);
    assert_eq!(consumer.terminate(), 0);
    let committed = pipeline.topic.extents();
    let later = pipeline.send(plan(&scenario(73, 200).events, &registration));
    let later = later.counts().acknowledged;
    // Of what came meanwhile, retention has taken the older half.
    let (mut kept, mut lost) = (Vec::new(), 0);
    for ((partition, _, read), (_, _, end)) in committed.iter().zip(pipeline.topic.extents()) {
        let half = (end - read) / 2;
        kept.push((*partition, read + half));
        lost += half;
    }
    assert!(lost > 0);
    pipeline.topic.forget_before(&kept);
    let _consumer = pipeline.start_consumer();
    let lost = u64::try_from(lost).unwrap();
    pipeline.wait_until_loaded(before + later - lost);
    let skipped = "postback_consumer_skipped_offsets_total ";
    wait::until_true("what is lost is told", || {
        metric(&pipeline, skipped).is_some_and(|value| value > 0.0)
    });
    #[expect(clippy::cast_precision_loss, reason = "some hundred")]
    let lost = lost as f64;
    assert_eq!(metric(&pipeline, skipped), Some(lost));
}

#[test]
fn months_that_are_too_old_go_by_themselves_and_are_announced() {
    let pipeline = Setup::new("keep_days")
        .source("rakuten-us", COMPLETE)
        .lines("clickhouse", "keep_days = 62")
        .prepare();
    pipeline.migrate();
    let (database, admin) = (&pipeline.database, pipeline.consumer_admin);
    for day in ["2020-02-29", "1970-01-03"] {
        database.run(&format!(
            "INSERT INTO {{db}}.conversions_g1 (account, key_day, conversion_key) VALUES ('a', '{day}', generateUUIDv4())"
        ));
    }
    database.run("INSERT INTO {db}.postbacks_g1 (id, received_at) SELECT generateUUIDv4(), arrayJoin([toDateTime64('2020-02-29 12:00:00', 6, 'UTC'), now64(6)])");
    let check = pipeline.postback(&["config", "check"]);
    assert!(
        check.stdout.contains("keep_days = 62: months before 20"),
        "{}",
        check.shown()
    );
    let doctor = pipeline.postback(&["doctor"]);
    assert!(
        doctor
            .stdout
            .contains("dropped by the consumer: conversions_g1: 2020-02 (1 row"),
        "{}",
        doctor.shown()
    );
    let consumer = pipeline.start_consumer();
    pipeline.wait_until_ready(admin, &consumer);
    let left = |table: &str| database.count(&format!("SELECT count() FROM {{db}}.{table}"));
    wait::until_true("the old month is gone", || {
        left("postbacks") == 1 && left("conversions") == 1
    });
    let day = database.run("SELECT key_day FROM {db}.conversions");
    assert_eq!(day.trim(), "1970-01-03", "buckets stay");
    let verify = pipeline.postback(&["verify"]);
    assert!(
        verify.code == 0 && verify.stdout.contains("clickhouse.keep_days drops it"),
        "{}",
        verify.shown()
    );
}

#[test]
fn the_age_of_what_is_unread_is_shown_beside_the_topics_retention() {
    let running = Setup::new("unread_age")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    // A record of a later version holds its partition.
    pipeline.topic.publish(1, &[br#"{"v":2}"#]);
    let age =
        |partition| format!("postback_consumer_unread_age_seconds{{partition=\"{partition}\"}} ");
    wait::until_true("what is held grows old", || {
        at_least(pipeline, &age(1), 10.0)
    });
    assert_eq!(metric(pipeline, &age(0)), Some(0.0));
    // 30 days, as the broker has it.
    let retention = "postback_topic_retention_seconds ";
    wait::until_true("the retention is shown", || {
        metric(pipeline, retention) == Some(2_592_000.0)
    });
}
