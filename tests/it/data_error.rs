//! A row that ClickHouse refuses is found, stored as rejected or without its raw text, and everything
//! else goes on. Where even that is refused the partition is held, visibly, until the cause is gone.

use std::time::Duration;

use postback_tests::pipeline::Running;
use postback_tests::{Setup, wait};
use serde_json::json;

use crate::templates::COMPLETE;

fn record(number: u32) -> String {
    format!(
        r#"{{"v":1,"id":"01a05a43-fc00-7f54-8d8e-{number:012}","source":"rakuten-us","key":"k1","received_at":"2026-09-01T00:00:00.000000Z","method":"GET","query":{{"utf8":"is_event=N&etransaction_id={number:032}&order_id=order-{number}&transaction_date=2026-08-31T00:00:00Z&sale_amount=1.25&currency=USD"}},"content_type":null,"body":null,"remote":"203.0.113.7","headers":{{}},"via":"http"}}"#
    )
}

fn publish(running: &Running, partition: i32, records: impl Iterator<Item = u32>) {
    let records: Vec<String> = records.map(record).collect();
    let bytes: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
    running.pipeline.topic.publish(partition, &bytes);
}

/// Inserts that ClickHouse took: of each a part is left, merged or not, for as long as a test lasts.
fn inserts(running: &Running, table: &str) -> u64 {
    running.pipeline.database.count(&format!(
        "SELECT count() FROM system.parts WHERE database = '{{db}}' AND table = '{table}' AND min_block_number = max_block_number"
    ))
}

#[test]
fn one_refused_row_of_a_hundred_thousand_is_found_alone() {
    const MANY: u32 = 100_000;
    let running = Setup::new("one_refused_row")
        .source("rakuten-us", COMPLETE)
        .lines(
            "consumer",
            "batch_max_rows = 100000\nbatch_max_bytes = 536870912",
        )
        .collecting_for(Duration::from_secs(60))
        .start();
    let pipeline = &running.pipeline;
    let database = &pipeline.database;
    database
        .run("ALTER TABLE {db}.conversions_g1 ADD CONSTRAINT odd CHECK order_id != 'order-77777'");
    running.consumer.process().freeze().unwrap();
    publish(&running, 1, 0..MANY);
    running.consumer.process().thaw().unwrap();
    pipeline.wait_until_loaded(u64::from(MANY));

    let rejected = database.rows(
        "SELECT kafka_offset, outcome, reasons, detail, version < toUInt128(exp2(96)) AS gives_way, \
         conversion_key IS NOT NULL AS has_key, flags, raw LIKE '%order-77777%' AS has_raw \
         FROM {db}.postbacks WHERE outcome != 'accepted' OR detail != ''",
    );
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    let detail = rejected[0]["detail"].as_str().unwrap();
    assert!(detail.contains("odd") && detail.contains("VIOLATED_CONSTRAINT"));
    assert_eq!(
        rejected[0],
        json!({
            "kafka_offset": "77777", "outcome": "rejected", "reasons": ["refused_by_server"],
            "detail": detail, "gives_way": 1, "has_key": 1, "flags": [], "has_raw": 1,
        })
    );
    let sum = "SELECT toString(sum(sale_amount)) FROM {db}.conversions";
    // 99,999 of 1.25.
    assert_eq!(database.run(sum).trim(), "124998.75");
    // One half at each of 17 steps, and nothing but the whole of the other table.
    let (conversions, postbacks) = (
        inserts(&running, "conversions_g1"),
        inserts(&running, "postbacks_g1"),
    );
    assert!((1..=17).contains(&conversions), "{conversions} inserts");
    assert_eq!(postbacks, 1);
    let metrics = postback_tests::pipeline::get(pipeline.consumer_admin, "/metrics").unwrap();
    for line in [
        "postback_consumer_rejections_total{reason=\"refused_by_server\"} 1",
        "postback_consumer_refused_rows_total{table=\"conversions\"} 1",
        "postback_consumer_refused_rows_total{table=\"postbacks\"} 0",
    ] {
        assert!(metrics.1.contains(line), "{line}");
    }
    pipeline.wait_until_ready(pipeline.consumer_admin, &running.consumer);

    // Once the table is mended, loading it again is enough: the normal outcome wins.
    database.run("ALTER TABLE {db}.conversions_g1 DROP CONSTRAINT odd");
    let Running {
        consumer, pipeline, ..
    } = running;
    assert_eq!(consumer.terminate(), 0);
    pipeline.topic.forget_group(&pipeline.group(1));
    let _consumer = pipeline.start_consumer();
    wait::until_true("the refused one is accepted", || {
        let accepted =
            "SELECT count() FROM {db}.postbacks WHERE outcome = 'accepted' AND detail = ''";
        pipeline.database.count(accepted) == u64::from(MANY)
    });
    let both = "SELECT count() = 100000 AND sum(sale_amount) = 125000 FROM {db}.conversions";
    assert_eq!(pipeline.database.count(both), 1);
}

#[test]
fn a_raw_text_that_is_refused_is_replaced_by_its_hash() {
    let running = Setup::new("refused_raw")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let database = &pipeline.database;
    database
        .run("ALTER TABLE {db}.postbacks_g1 ADD CONSTRAINT tidy CHECK raw NOT LIKE '%order-2&%'");
    database.run("ALTER TABLE {db}.conversions_g1 ADD CONSTRAINT odd CHECK order_id != 'order-4'");
    publish(&running, 1, 1..6);
    pipeline.wait_until_loaded(5);
    let rows = database.rows(
        "SELECT kafka_offset, outcome, flags, detail LIKE '%tidy%' AS tidy, detail LIKE '%odd%' AS odd, raw \
         FROM {db}.postbacks WHERE flags != [] OR detail != '' ORDER BY kafka_offset",
    );
    let hash = blake3::hash(record(2).as_bytes()).to_hex();
    assert_eq!(
        rows,
        [
            json!({"kafka_offset": "1", "outcome": "accepted", "flags": ["raw_replaced"], "tidy": 1, "odd": 0, "raw": format!("blake3:{hash}")}),
            json!({"kafka_offset": "3", "outcome": "rejected", "flags": [], "tidy": 0, "odd": 1, "raw": record(4)}),
        ]
    );
    let conversions = "SELECT count() FROM {db}.conversions WHERE order_id != 'order-4'";
    assert_eq!(database.count(conversions), 4);
}

#[test]
fn a_row_that_is_refused_in_every_form_holds_its_partition_until_the_cause_is_gone() {
    let running = Setup::new("data_error")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    let database = &pipeline.database;
    database.run(
        "ALTER TABLE {db}.postbacks_g1 ADD CONSTRAINT no_two CHECK id != '01a05a43-fc00-7f54-8d8e-000000000002'",
    );
    publish(&running, 1, 1..4);
    publish(&running, 0, 4..5);
    publish(&running, 2, 5..6);
    wait::until_true("the held partition is visible", || {
        pipeline
            .readiness(pipeline.consumer_admin)
            .is_some_and(|(status, text)| {
                status == 503
                    && text.contains("no_two")
                    && text.contains("partition 1 is held at offset 1:")
            })
    });
    let loaded = || database.count("SELECT count() FROM {db}.postbacks");
    wait::until_true("everything but it and what follows it is loaded", || {
        loaded() == 3
    });
    let (_, metrics) = postback_tests::pipeline::get(pipeline.consumer_admin, "/metrics").unwrap();
    let held =
        |line: &&str| line.starts_with("postback_consumer_partition_held") && line.ends_with(" 1");
    assert_eq!(metrics.lines().filter(held).count(), 1, "{metrics}");

    publish(&running, 0, 6..7);
    wait::until_true("new postbacks of other partitions too", || loaded() == 4);

    database.run("ALTER TABLE {db}.postbacks_g1 DROP CONSTRAINT no_two");
    pipeline.wait_until_loaded(6);
    pipeline.wait_until_ready(pipeline.consumer_admin, &running.consumer);
    assert_eq!(database.count("SELECT count() FROM {db}.conversions"), 6);
    assert_eq!(
        database
            .count("SELECT count() FROM {db}.postbacks WHERE outcome = 'accepted' AND flags = []"),
        6
    );
}
