//! A ClickHouse that takes nothing, or little: loading waits or slows down, says why, and neither loses
//! nor skips nor blames a row.

use std::time::Duration;

use postback_stack::Cancellation;
use postback_tests::pipeline::{Running, get};
use postback_tests::{Setup, wait};

use crate::outage::own_clickhouse;
use crate::templates::COMPLETE;

/// A sale of 1.25 USD in one of four months.
fn record(number: u32) -> String {
    let month = 5 + number % 4;
    format!(
        r#"{{"v":1,"id":"01a05a43-fc00-7f54-8d8e-{number:012}","source":"rakuten-us","key":"k1","received_at":"2026-09-01T00:00:00.000000Z","method":"GET","query":{{"utf8":"is_event=N&etransaction_id={number:032}&order_id=order-{number}&transaction_date=2026-{month:02}-28T00:00:00Z&sale_amount=1.25&currency=USD"}},"content_type":null,"body":null,"remote":"203.0.113.7","headers":{{}},"via":"http"}}"#
    )
}

fn publish(running: &Running, numbers: std::ops::Range<u32>) {
    for partition in 0..3 {
        let mine = numbers.clone().filter(|number| number % 3 == partition);
        let records: Vec<String> = mine.map(record).collect();
        let bytes: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
        let partition = i32::try_from(partition).unwrap();
        running.pipeline.topic.publish(partition, &bytes);
    }
}

/// `/readyz` names the trouble, and the metric its kind.
fn wait_until_said(running: &Running, words: &str, kind: &str) {
    let pipeline = &running.pipeline;
    let metric = format!("postback_consumer_waiting{{reason=\"{kind}\"}} 1");
    wait::until_true(&format!("{words} is said"), || {
        let readiness = pipeline.readiness(pipeline.consumer_admin);
        let is_said = readiness.is_some_and(|(status, text)| status == 503 && text.contains(words));
        let metrics = get(pipeline.consumer_admin, "/metrics");
        is_said && metrics.is_some_and(|(_, text)| text.contains(&metric))
    });
}

/// Everything is there, each once, accepted and to the cent.
fn check(running: &Running, many: u32) {
    let pipeline = &running.pipeline;
    pipeline.wait_until_loaded(u64::from(many));
    pipeline.wait_until_ready(pipeline.consumer_admin, &running.consumer);
    let found = pipeline.database.run(
        "SELECT (SELECT count() FROM {db}.postbacks WHERE outcome = 'accepted' AND detail = ''), \
         (SELECT count() FROM {db}.conversions), (SELECT toString(sum(sale_amount)) FROM {db}.conversions)",
    );
    let cents = u64::from(many) * 125;
    let sum: String = format!("{}.{:02}", cents / 100, cents % 100);
    let sum = sum.trim_end_matches('0').trim_end_matches('.');
    assert_eq!(found.trim(), format!("{many}\t{many}\t{sum}"));
}

/// Something is done to the tables, and undone.
fn under(name: &str, breaking: &str, mending: &str, words: &str, kind: &str) {
    let running = Setup::new(name).source("rakuten-us", COMPLETE).start();
    publish(&running, 0..30);
    running.pipeline.wait_until_loaded(30);
    running.pipeline.database.run(breaking);
    publish(&running, 30..60);
    wait_until_said(&running, words, kind);
    publish(&running, 60..90);
    assert!(running.consumer.process().is_running());
    running.pipeline.database.run(mending);
    check(&running, 90);
}

#[test]
fn too_many_parts() {
    under(
        "too_many_parts",
        "ALTER TABLE {db}.conversions_g1 MODIFY SETTING parts_to_throw_insert = 1",
        "ALTER TABLE {db}.conversions_g1 RESET SETTING parts_to_throw_insert",
        "TOO_MANY_PARTS",
        "pressure",
    );
}

#[test]
fn a_table_that_may_not_be_written() {
    under(
        "read_only_table",
        "ALTER TABLE {db}.postbacks_g1 MODIFY SETTING table_readonly = 1",
        "ALTER TABLE {db}.postbacks_g1 MODIFY SETTING table_readonly = 0",
        "TABLE_IS_PERMANENTLY_READ_ONLY",
        "pressure",
    );
}

#[test]
fn a_disk_without_room() {
    under(
        "full_disk",
        "ALTER TABLE {db}.postbacks_g1 MODIFY SETTING min_free_disk_bytes_to_perform_insert = 1000000000000000",
        "ALTER TABLE {db}.postbacks_g1 RESET SETTING min_free_disk_bytes_to_perform_insert",
        "NOT_ENOUGH_SPACE",
        "pressure",
    );
}

#[test]
fn a_table_that_is_not_there() {
    under(
        "missing_table",
        "RENAME TABLE {db}.conversions_g1 TO {db}.elsewhere",
        "RENAME TABLE {db}.elsewhere TO {db}.conversions_g1",
        "UNKNOWN_TABLE",
        "setup",
    );
}

#[test]
fn a_user_who_may_only_read() {
    let directory = tempfile::tempdir().unwrap();
    let (mut clickhouse, servers) = own_clickhouse(directory.path(), &[]);
    let running = Setup::on("readonly_user", servers)
        .source("rakuten-us", COMPLETE)
        .start();
    publish(&running, 0..30);
    running.pipeline.wait_until_loaded(30);
    // 2: settings may be changed, data may not.
    let read_only = [("readonly".to_owned(), "2".to_owned())];
    clickhouse.set_settings(&read_only).unwrap();
    clickhouse.restart(&Cancellation::new()).unwrap();
    publish(&running, 30..60);
    wait_until_said(&running, "READONLY", "pressure");
    clickhouse.set_settings(&[]).unwrap();
    clickhouse.restart(&Cancellation::new()).unwrap();
    check(&running, 60);
}

#[test]
fn too_little_memory_for_a_batch_is_enough_for_its_pieces() {
    const MANY: u32 = 60_000;
    let directory = tempfile::tempdir().unwrap();
    let (_clickhouse, servers) = own_clickhouse(directory.path(), &[("max_memory_usage", LIMIT)]);
    let running = Setup::on("little_memory", servers)
        .source("rakuten-us", COMPLETE)
        .collecting_for(Duration::from_secs(30))
        .lines("consumer", &format!("batch_max_rows = {MANY}"))
        .start();
    publish(&running, 0..MANY);
    wait_until_said(&running, "MEMORY_LIMIT_EXCEEDED", "too_large");
    check(&running, MANY);
}

/// Enough for some ten thousand rows of `postbacks` at once.
const LIMIT: &str = "60000000";

#[test]
fn a_frozen_server() {
    let directory = tempfile::tempdir().unwrap();
    let (clickhouse, servers) = own_clickhouse(directory.path(), &[]);
    let running = Setup::on("frozen_clickhouse", servers)
        .source("rakuten-us", COMPLETE)
        .lines("consumer", "batch_max_rows = 100")
        .start();
    publish(&running, 0..30);
    running.pipeline.wait_until_loaded(30);
    clickhouse.process().freeze().unwrap();
    publish(&running, 30..6_000);
    // Both batches are full, and the rest stays in Kafka.
    wait::until_true("the lag is seen", || {
        let metrics = get(running.pipeline.consumer_admin, "/metrics");
        let lag = |(_, text): (u16, String)| -> u64 {
            let lines = text
                .lines()
                .filter(|line| line.starts_with("postback_consumer_lag_records{"));
            lines
                .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
                .sum()
        };
        metrics.map(lag) == Some(5_970)
    });
    clickhouse.process().thaw().unwrap();
    check(&running, 6_000);
}
