//! A Kafka that says for a while that it has no brokers.

use postback_simulator::plan;
use postback_stack::{KafkaOptions, port};
use postback_tests::door::Door;
use postback_tests::raw::{exchange, request};
use postback_tests::{Pipeline, Servers, Setup, wait};

use crate::main_path::scenario;
use crate::outage::own_kafka_with;
use crate::templates::COMPLETE;

#[test]
fn a_kafka_that_had_no_brokers_for_a_while_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let [broker] = port::free().unwrap();
    let door = Door::before(broker);
    let mut options = KafkaOptions::new(directory.path().join("kafka"));
    options.port = Some(broker);
    options.settings.push((
        "advertised.listeners".to_owned(),
        format!("PLAINTEXT://{}", door.brokers()),
    ));
    let (_kafka, servers) = own_kafka_with(options);
    let servers = Servers {
        brokers: door.brokers(),
        ..servers
    };
    let running = Setup::on("hidden_brokers", servers)
        .source("rakuten-us", COMPLETE)
        .lines(
            "kafka",
            "options = { \"topic.metadata.refresh.interval.ms\" = 500 }",
        )
        .start();
    let pipeline = &running.pipeline;
    let deliveries = plan(&scenario(61, 600).events, &pipeline.registration(0));
    let (before, after) = deliveries.split_at(200);
    let mut ledger = pipeline.send(before.to_vec());
    pipeline.wait_until_loaded(ledger.counts().acknowledged);

    refuse(pipeline, 1);

    door.hide(true);
    for (program, client) in [
        (&running.ingest, "ingest"),
        (&running.ingest, "refusals"),
        (&running.consumer, "consumer"),
        (&running.consumer, "refusals"),
    ] {
        let client = format!("\"client\":\"{client}\"");
        wait::until_true(&format!("{client} asks the configured brokers"), || {
            let log = program.output();
            let mut lines = log.lines();
            lines.any(|line| line.contains("named no brokers") && line.contains(&client))
        });
    }
    // They ask, and there are still none.
    let hidden = door.hidden();
    wait::until_true("more answers without brokers", || {
        door.hidden() > hidden + 10
    });
    door.hide(false);

    pipeline.wait_until_ready(pipeline.ingest_admin, &running.ingest);
    pipeline.wait_until_ready(pipeline.consumer_admin, &running.consumer);
    ledger.append(pipeline.send(after.to_vec()));
    assert_eq!(ledger.counts().acknowledged, 600, "{:?}", ledger.counts());
    pipeline.wait_until_loaded_at_least(&ledger);
    refuse(pipeline, 2);
}

/// A postback with a key of nobody, until so many refusals are loaded. One that comes while Kafka is
/// away is dropped, so there may be more than one.
fn refuse(pipeline: &Pipeline, loaded: u64) {
    let bytes = request(
        "GET",
        b"/postback/nobodys-key-of-32-characters-00?u1=1",
        "",
        b"",
    );
    wait::until_true("a refusal is loaded", || {
        assert_eq!(exchange(pipeline.address, &bytes).unwrap().status, 404);
        let count = "SELECT count() FROM {db}.refusals";
        pipeline.database.count(count) >= loaded
    });
}
