//! Services that end, well or badly, and come back.

use std::net::SocketAddr;

use postback_simulator::plan;
use postback_tests::pipeline::{Running, get};
use postback_tests::{Setup, wait};

use crate::main_path::scenario;
use crate::templates::COMPLETE;

#[test]
fn services_end_with_0_and_what_was_acknowledged_is_in_kafka() {
    let running = Setup::new("shutdown")
        .source("rakuten-us", COMPLETE)
        .start();
    let Running {
        ingest,
        consumer,
        pipeline,
    } = running;
    let deliveries = plan(&scenario(41, 3_000).events, &pipeline.registration(0));
    let ledger = std::thread::scope(|scope| {
        let sending = scope.spawn(|| pipeline.send(deliveries));
        wait::until_true("some postbacks have arrived", || {
            !pipeline.topic.messages().is_empty()
        });
        assert_eq!(ingest.terminate(), 0);
        sending.join().unwrap()
    });
    let counts = ledger.counts();
    assert!(
        counts.acknowledged > 0 && counts.failed > 0,
        "it was ended in the middle: {counts:?}"
    );
    pipeline.wait_until_loaded_at_least(&ledger);
    assert_eq!(consumer.terminate(), 0);
}

#[test]
fn a_killed_consumer_comes_back_and_nothing_counts_twice() {
    let mut running = Setup::new("killed_consumer")
        .source("rakuten-us", COMPLETE)
        .lines(
            "consumer",
            "batch_max_rows = 50\ninstance_id = \"loader-1\"",
        )
        .start();
    let deliveries = plan(
        &scenario(42, 1_500).events,
        &running.pipeline.registration(0),
    );
    let mut ledger = postback_simulator::Ledger::default();
    for part in deliveries.chunks(500) {
        ledger.append(running.pipeline.send(part.to_vec()));
        running.consumer.process().kill();
        running.consumer = running.pipeline.start_consumer();
    }
    let pipeline = &running.pipeline;
    pipeline.wait_until_loaded(ledger.counts().acknowledged);
    assert_eq!(
        pipeline
            .database
            .count("SELECT count() FROM {db}.conversions"),
        ledger.totals().conversions.len() as u64
    );
    let sum = pipeline.database.run(
        "SELECT toString(sum(sale_amount)) FROM {db}.conversions WHERE kind = 'transaction' AND currency = 'USD'",
    );
    let expected = ledger.totals().by_currency()["USD"].net_sales();
    assert_eq!(
        sum.trim().parse::<postback_simulator::Amount>().unwrap(),
        expected
    );
}

#[test]
fn what_was_paused_when_it_was_taken_away_is_read_when_it_comes_back() {
    let running = Setup::new("paused_and_back")
        .source("rakuten-us", COMPLETE)
        .lines("consumer", "batch_max_rows = 20")
        .start();
    let pipeline = &running.pipeline;
    let database = &pipeline.database;
    let parts_at_most = |parts: u32| {
        database.run(&format!(
            "ALTER TABLE {{db}}.conversions_g1 MODIFY SETTING parts_to_throw_insert = {parts}"
        ));
    };
    parts_at_most(1);
    let deliveries = plan(&scenario(43, 300).events, &pipeline.registration(0));
    let ledger = pipeline.send(deliveries);
    let said = |words: &str| {
        pipeline
            .readiness(pipeline.consumer_admin)
            .is_some_and(|(_, text)| text.contains(words))
    };
    wait::until_true("ClickHouse is waited for", || said("TOO_MANY_PARTS"));
    let metric = |admin, name: &str| -> Option<u64> {
        let (_, metrics) = get(admin, "/metrics")?;
        let mut values = metrics.lines().filter_map(|line| line.strip_prefix(name));
        values.next()?.trim().parse().ok()
    };
    let assigned = |admin| metric(admin, "postback_consumer_assigned_partitions");
    // More is there than both batches hold, so everything is paused. Another member comes and goes.
    let [port] = postback_stack::port::free().unwrap();
    let admin = SocketAddr::from(([127, 0, 0, 1], port));
    let variables = [("POSTBACK__CONSUMER__ADMIN_LISTEN", admin.to_string())];
    let other = pipeline.start_consumer_with(&variables);
    wait::until_true("it has a share", || {
        assigned(admin).is_some_and(|partitions| partitions > 0)
    });
    assert_eq!(other.terminate(), 0);
    wait::until_true("the first one has all of them again", || {
        assigned(pipeline.consumer_admin) == Some(3)
    });
    parts_at_most(3_000);
    pipeline.wait_until_loaded(ledger.counts().acknowledged);
}
