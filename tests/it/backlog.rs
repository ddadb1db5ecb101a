//! What waits in the topic is loaded from all partitions alike: none is left behind while others have
//! more than one fetch takes.

use postback_tests::Setup;

use crate::templates::COMPLETE;

const PARTITIONS: u32 = 12;

/// With 1.5 kB each far more, in each partition, than a fetch takes of it.
const RECORDS: u32 = 1_000;

/// A sale, with a parameter that cannot be compressed to less than half.
fn record(partition: u32, number: u32) -> String {
    let mut noise = [0; 600];
    getrandom::fill(&mut noise).unwrap();
    let noise: String = noise.iter().map(|byte| format!("{byte:02x}")).collect();
    let number = partition * RECORDS + number;
    format!(
        r#"{{"v":1,"id":"01a05a43-fc00-7f54-8d8e-{number:012}","source":"rakuten-us","key":"k1","received_at":"2026-09-01T00:00:00.000000Z","method":"GET","query":{{"utf8":"is_event=N&etransaction_id={number:032}&order_id=order-{number}&transaction_date=2026-08-28T00:00:00Z&sale_amount=1.25&currency=USD&noise={noise}"}},"content_type":null,"body":null,"remote":"203.0.113.7","headers":{{}},"via":"http"}}"#
    )
}

#[test]
fn a_backlog_is_loaded_from_all_partitions_alike() {
    let pipeline = Setup::new("backlog")
        .source("rakuten-us", COMPLETE)
        .partitions(PARTITIONS)
        .lines("consumer", "batch_max_rows = 500")
        .prepare();
    pipeline.migrate();
    for partition in 0..PARTITIONS {
        let records: Vec<String> = (0..RECORDS).map(|n| record(partition, n)).collect();
        let bytes: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
        pipeline
            .topic
            .publish(i32::try_from(partition).unwrap(), &bytes);
    }
    // Each insert stays a part of its own, whose number tells the order.
    let database = &pipeline.database;
    database.run("SYSTEM STOP MERGES {db}.postbacks_g1");
    let consumer = pipeline.start_consumer();
    pipeline.wait_until_loaded(u64::from(PARTITIONS * RECORDS));

    // How many of each partition are among the half of all rows that was loaded first.
    let shares = database.run(
        "SELECT countIf(place <= (SELECT count() FROM {db}.postbacks_g1) / 2) AS early FROM \
         (SELECT kafka_partition, row_number() OVER (ORDER BY toUInt32(splitByChar('_', _part)[2])) AS place \
         FROM {db}.postbacks_g1) GROUP BY kafka_partition ORDER BY early",
    );
    let shares: Vec<u32> = shares.lines().map(|n| n.parse().unwrap()).collect();
    assert_eq!(shares.len(), PARTITIONS as usize);
    // A half of each would be even; of a partition that has to wait for others it is nothing.
    assert!(shares[0] >= RECORDS / 5, "{shares:?}");
    drop(consumer);
}
