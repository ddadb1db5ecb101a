//! Services that end, well or badly, and come back.

use postback_simulator::plan;
use postback_tests::pipeline::Running;
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
