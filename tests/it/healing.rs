//! While missed postbacks are fetched, everything that takes part is killed: the command, the consumer,
//! ClickHouse, the broker. What is in the tables in the end is what the network's books say, once.

use std::net::SocketAddr;
use std::time::Duration;

use postback_simulator::{Delivery, plan};
use postback_stack::{Cancellation, ClickHouseServer, KafkaServer};
use postback_tests::pipeline::{Pipeline, Running};
use postback_tests::program::Program;
use postback_tests::{Servers, wait};
use rustix::process::Signal;

use crate::backfill::{
    RANGE, api, backfill, books, in_tables, setup_on, slowed, sums, wait_until_all_is_loaded,
};
use crate::main_path::scenario;
use crate::outage::{own_clickhouse, own_kafka};

/// Pages come slowly enough for everything to be killed in between.
const LATE: Duration = Duration::from_millis(300);

/// Transactions that are done with, by all runs.
const PULLED: &str = "SELECT ifNull(max(pulled), 0) FROM {db}.backfills";

struct Everything {
    running: Running,
    kafka: KafkaServer,
    clickhouse: ClickHouseServer,
}

impl Everything {
    fn pipeline(&self) -> &Pipeline {
        &self.running.pipeline
    }

    /// Begins or goes on, and waits until something more is done with.
    fn fetch_some(&self) -> Program {
        let before = self.pipeline().database.count(PULLED);
        let arguments = [&["-q", "backfill", "--source", "rakuten-us"], &RANGE[..]].concat();
        let run = self.pipeline().start_with("postback", &arguments);
        wait::until_true("some more of it is done with", || {
            self.pipeline().database.count(PULLED) > before
        });
        run
    }

    fn kill_the_command(&self) {
        let run = self.fetch_some();
        run.signal(Signal::KILL);
        drop(run);
    }

    fn kill_the_consumer(&mut self) {
        let run = self.fetch_some();
        self.running.consumer.signal(Signal::KILL);
        let consumer = self.pipeline().start_consumer();
        self.pipeline()
            .wait_until_ready(self.pipeline().consumer_admin, &consumer);
        self.running.consumer = consumer;
        drop(run);
    }

    /// The command may wait for it, or say that it is away and end: it is run again in any case.
    fn kill_clickhouse(&mut self) {
        let run = self.fetch_some();
        self.clickhouse.kill();
        std::thread::sleep(2 * LATE);
        self.clickhouse.restart(&Cancellation::new()).unwrap();
        drop(run);
    }

    fn kill_the_broker(&mut self) {
        let run = self.fetch_some();
        self.kafka.kill();
        std::thread::sleep(2 * LATE);
        self.kafka.restart(&Cancellation::new()).unwrap();
        drop(run);
    }
}

fn everything(directory: &std::path::Path, api: SocketAddr) -> Everything {
    let (kafka, with_kafka) = own_kafka(directory);
    let (clickhouse, with_clickhouse) = own_clickhouse(directory, &[]);
    let servers = Servers {
        brokers: with_kafka.brokers,
        ..with_clickhouse
    };
    Everything {
        running: setup_on("healing", servers, api),
        kafka,
        clickhouse,
    }
}

/// Every second one, and whole days of an outage.
fn is_kept_back(number: usize) -> bool {
    number.is_multiple_of(2) || (300..600).contains(&number)
}

#[test]
fn what_is_fetched_counts_once_whatever_is_killed_in_between() {
    let events = scenario(73, 1_500).events;
    let directory = tempfile::tempdir().unwrap();
    let mut all = everything(directory.path(), slowed(api(&events), LATE));
    let deliveries = plan(&events, &all.pipeline().registration(0));
    let numbered: Vec<(usize, Delivery)> = deliveries.into_iter().enumerate().collect();
    let (kept, pushed): (Vec<_>, Vec<_>) = numbered
        .into_iter()
        .partition(|(number, _)| is_kept_back(*number));
    let deliveries = |numbered: Vec<(usize, Delivery)>| -> Vec<Delivery> {
        numbered.into_iter().map(|(_, delivery)| delivery).collect()
    };
    let mut ledger = all.pipeline().send(deliveries(pushed));
    all.pipeline()
        .wait_until_loaded(ledger.counts().acknowledged);

    all.kill_the_command();
    all.kill_the_consumer();
    all.kill_clickhouse();
    all.kill_the_broker();
    let pipeline = all.pipeline();
    let (code, shown) = backfill(pipeline, &[]);
    assert_eq!(code, 0, "{shown}");
    wait_until_all_is_loaded(pipeline);
    let after = in_tables(pipeline);
    let fetched = "SELECT count() FROM {db}.postbacks WHERE via = 'backfill'";
    let sent = shown["meta"]["missing"].as_u64().unwrap()
        + shown["meta"]["changed"].as_u64().unwrap()
        + shown["meta"]["newer"].as_u64().unwrap();
    assert_eq!(pipeline.database.count(fetched), sent, "{shown}");
    let runs = "SELECT count() FROM {db}.backfills";
    assert_eq!(pipeline.database.count(runs), 1, "it is one run");

    // The books know what was kept back once it has arrived.
    ledger.append(pipeline.send(deliveries(kept)));
    wait_until_all_is_loaded(pipeline);
    let whole = sums(&books(&ledger));
    assert_eq!(after, whole, "fetched");
    assert_eq!(in_tables(pipeline), whole, "fetched and pushed");
}
