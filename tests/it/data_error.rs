//! A row that ClickHouse refuses holds its partition, visibly; the others go on, and so does it
//! when the cause is gone.

use postback_tests::{Setup, wait};

use crate::templates::COMPLETE;

fn record(transaction: u32) -> String {
    format!(
        r#"{{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0000000000{transaction:02}","source":"rakuten-us","key":"k1","received_at":"2026-09-01T00:00:00.000000Z","method":"GET","query":{{"utf8":"is_event=N&etransaction_id=0000000000000000000000000000000{transaction}&order_id=order-{transaction}&transaction_date=2026-08-31T00:00:00Z"}},"content_type":null,"body":null,"remote":"203.0.113.7","headers":{{}},"via":"http"}}"#
    )
}

#[test]
fn a_refused_row_holds_its_partition_until_the_cause_is_gone() {
    let running = Setup::new("data_error")
        .source("rakuten-us", COMPLETE)
        .start();
    let pipeline = &running.pipeline;
    pipeline.database.run(
        "ALTER TABLE {db}.conversions_g1 ADD CONSTRAINT no_order_2 CHECK order_id != 'order-2'",
    );
    pipeline
        .topic
        .publish(1, &[record(2).as_bytes(), record(3).as_bytes()]);
    pipeline.topic.publish(0, &[record(4).as_bytes()]);
    pipeline.topic.publish(2, &[record(5).as_bytes()]);
    wait::until_true("the held partition is visible", || {
        pipeline
            .readiness(pipeline.consumer_admin)
            .is_some_and(|(status, text)| {
                status == 503 && text.contains("no_order_2") && text.contains("partition 1")
            })
    });
    let loaded = || {
        pipeline
            .database
            .count("SELECT count() FROM {db}.postbacks")
    };
    wait::until_true("the other partitions go on", || loaded() == 2);
    let (_, metrics) = postback_tests::pipeline::get(pipeline.consumer_admin, "/metrics").unwrap();
    let held =
        |line: &&str| line.starts_with("postback_consumer_partition_held") && line.ends_with(" 1");
    assert_eq!(metrics.lines().filter(held).count(), 1, "{metrics}");

    pipeline.topic.publish(0, &[record(6).as_bytes()]);
    wait::until_true("new postbacks of other partitions too", || loaded() == 3);

    pipeline
        .database
        .run("ALTER TABLE {db}.conversions_g1 DROP CONSTRAINT no_order_2");
    pipeline.wait_until_loaded(5);
    pipeline.wait_until_ready(pipeline.consumer_admin, &running.consumer);
    assert_eq!(
        pipeline
            .database
            .count("SELECT count() FROM {db}.conversions"),
        5
    );
}
