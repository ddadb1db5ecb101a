//! Servers of the test's own, stopped and started again.

use std::time::{Duration, Instant};

use postback_simulator::plan;
use postback_stack::clickhouse::USER;
use postback_stack::{
    Cancellation, ClickHouseOptions, ClickHouseServer, KafkaOptions, KafkaServer, Needs, install,
};
use postback_tests::pipeline::Running;
use postback_tests::raw::{exchange, request};
use postback_tests::{Servers, Setup, wait};

use crate::main_path::scenario;
use crate::templates::COMPLETE;

pub(crate) fn own_kafka(directory: &std::path::Path) -> (KafkaServer, Servers) {
    own_kafka_with(KafkaOptions::new(directory.join("kafka")))
}

pub(crate) fn own_kafka_with(options: KafkaOptions) -> (KafkaServer, Servers) {
    let installation = install(Needs::default(), &Cancellation::new(), &|_| {}).unwrap();
    let kafka = KafkaServer::start(&installation, options, &Cancellation::new()).unwrap();
    let servers = Servers {
        brokers: kafka.brokers(),
        ..Servers::from_environment()
    };
    (kafka, servers)
}

pub(crate) fn own_clickhouse(
    directory: &std::path::Path,
    settings: &[(&str, &str)],
) -> (ClickHouseServer, Servers) {
    let installation = install(Needs::default(), &Cancellation::new(), &|_| {}).unwrap();
    let settings = settings.iter();
    let options = ClickHouseOptions {
        settings: settings
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..ClickHouseOptions::new(directory.join("clickhouse"))
    };
    let clickhouse = ClickHouseServer::start(&installation, options, &Cancellation::new()).unwrap();
    let servers = Servers {
        clickhouse_url: clickhouse.url(),
        clickhouse_user: USER.to_owned(),
        clickhouse_password: clickhouse.password().reveal().to_owned(),
        ..Servers::from_environment()
    };
    (clickhouse, servers)
}

#[test]
fn a_stopped_clickhouse_delays_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (mut clickhouse, servers) = own_clickhouse(directory.path(), &[]);
    let running = Setup::on("clickhouse_away", servers)
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let events = scenario(21, 600).events;
    let deliveries = plan(&events, &pipeline.registration(0));
    let (first, second) = deliveries.split_at(200);

    let mut ledger = pipeline.send(first.to_vec());
    pipeline.wait_until_loaded(ledger.counts().acknowledged);
    clickhouse.kill();
    ledger.append(pipeline.send(second.to_vec()));
    let counts = ledger.counts();
    assert_eq!(
        (counts.refused, counts.failed),
        (0, 0),
        "ingest does not need ClickHouse: {counts:?}"
    );

    wait::until_true("the consumer says what it waits for", || {
        pipeline
            .readiness(pipeline.consumer_admin)
            .is_some_and(|(status, text)| {
                status == 503 && text.to_lowercase().contains("clickhouse")
            })
    });
    assert!(running.consumer.process().is_running());
    for arguments in [&["report", "summary"][..], &["trace", "x"], &["migrate"]] {
        let finished = pipeline.postback(arguments);
        assert_eq!(finished.code, 1, "{arguments:?}: {}", finished.shown());
        assert!(
            finished.stderr.contains(&clickhouse.url()),
            "the address is named: {}",
            finished.shown()
        );
        assert!(finished.stderr.contains("remedy"), "{}", finished.shown());
    }
    assert_eq!(pipeline.postback(&["doctor"]).code, 3);

    clickhouse.restart(&Cancellation::new()).unwrap();
    pipeline.wait_until_loaded(counts.acknowledged);
    assert_eq!(
        pipeline
            .database
            .count("SELECT count() FROM {db}.conversions"),
        ledger.totals().conversions.len() as u64
    );
    pipeline.wait_until_ready(pipeline.consumer_admin, &running.consumer);
}

/// Whether a request waits at that port that the process behind it has not read: the receive queues
/// of `/proc/net/tcp`, proc(5).
fn is_asked(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_its = fields[1].ends_with(&format!(":{port:04X}"));
        let (_, unread) = fields[4].split_once(':').unwrap();
        let is_established = fields[3] == "01";
        is_its && is_established && u64::from_str_radix(unread, 16).unwrap() > 0
    })
}

#[test]
fn a_clickhouse_that_hangs_holds_up_no_end() {
    let directory = tempfile::tempdir().unwrap();
    let (clickhouse, servers) = own_clickhouse(directory.path(), &[]);
    let url = servers.clickhouse_url.clone();
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    let Running {
        consumer,
        pipeline: _pipeline,
        ingest: _ingest,
    } = Setup::on("clickhouse_hangs", servers)
        .source("rakuten-us", COMPLETE)
        .start();
    clickhouse.process().freeze().unwrap();
    wait::until_true("a question hangs", || is_asked(port));
    let began = Instant::now();
    assert_eq!(consumer.terminate(), 0);
    // The question itself has 30 s, and so has systemd before it kills.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    clickhouse.process().thaw().unwrap();
}

#[test]
fn a_frozen_kafka_gets_an_honest_answer_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let (kafka, servers) = own_kafka(directory.path());
    let running = Setup::on("kafka_frozen", servers)
        .answering_in_time()
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let target = format!("{}?u1=frozen", pipeline.sources[0].path());
    let bytes = request("GET", target.as_bytes(), "", b"");
    // Without a spool, a busy machine may not have its first connection to the broker in time.
    wait::until_true("postbacks are taken", || {
        exchange(pipeline.address, &bytes).unwrap().status == 200
    });

    kafka.process().freeze().unwrap();
    // The contract's own deadline: 250 ms after the last byte. What this machine's scheduler adds
    // on the sender's side is told apart by taking the best of several tries.
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        let answer = exchange(pipeline.address, &bytes).unwrap();
        assert_eq!(answer.status, 503, "{}", answer.text);
        best = best.min(begin.elapsed());
    }
    kafka.process().thaw().unwrap();
    assert!(
        best < Duration::from_millis(400),
        "the best of five answers took {best:?}"
    );
    wait::until_true("postbacks are taken again", || {
        exchange(pipeline.address, &bytes).unwrap().status == 200
    });
    pipeline.wait_until_ready(pipeline.ingest_admin, &running.ingest);
}

#[test]
fn a_killed_kafka_comes_back_and_everything_acknowledged_is_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let (mut kafka, servers) = own_kafka(directory.path());
    let running = Setup::on("kafka_killed", servers)
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let deliveries = plan(&scenario(22, 400).events, &pipeline.registration(0));
    let (before, after) = deliveries.split_at(200);

    let mut ledger = pipeline.send(before.to_vec());
    assert_eq!(ledger.counts().acknowledged, 200);
    kafka.kill();
    wait::until_true("ingest says that it is not ready", || {
        pipeline
            .readiness(pipeline.ingest_admin)
            .is_some_and(|(status, _)| status == 503)
    });
    kafka.restart(&Cancellation::new()).unwrap();
    pipeline.wait_until_ready(pipeline.ingest_admin, &running.ingest);
    ledger.append(pipeline.send(after.to_vec()));
    let counts = ledger.counts();
    assert_eq!(
        counts.acknowledged + counts.refused + counts.failed,
        400,
        "{counts:?}"
    );
    assert!(
        counts.acknowledged > 200,
        "postbacks are taken again: {counts:?}"
    );
    pipeline.wait_until_loaded_at_least(&ledger);
}
