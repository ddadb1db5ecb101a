//! How a log is read, which joins no group.

use postback_common::config::KafkaSettings;
use rdkafka::ClientConfig;

use super::{client_config, set_unless_given};

/// What a reader is made for, and so how much it fetches ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Long spans, as fast as it goes: some tens of megabytes.
    Stretches,
    /// A few records here and there, or offsets alone.
    Few,
}

/// What a reader begins with.
pub(super) fn reader_config(
    settings: &KafkaSettings,
    client_id: &str,
    group: &str,
    amount: Amount,
) -> ClientConfig {
    let mut config = client_config(settings, client_id);
    if amount == Amount::Few {
        // For one record librdkafka would fetch a megabyte of its partition, fetch on, and keep what all
        // that unpacks to. The broker gives a first batch whole, however large it is (KIP-74).
        config
            .set("fetch.message.max.bytes", "65536")
            .set("queued.min.messages", "1");
    }
    // Memory is bounded whatever the topic holds.
    let bounded = [
        ("queued.max.messages.kbytes", "16384"),
        ("fetch.max.bytes", "8388608"),
        ("fetch.wait.max.ms", "100"),
        ("fetch.queue.backoff.ms", "20"),
    ];
    set_unless_given(&mut config, bounded);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        // What retention takes meanwhile is passed over.
        .set("auto.offset.reset", "earliest");
    config
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
    use std::time::{Duration, Instant};

    use rdkafka::client::ClientContext;
    use rdkafka::consumer::base_consumer::PartitionQueue;
    use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
    use rdkafka::statistics::Statistics;
    use rdkafka::{Message as _, Offset, TopicPartitionList};

    use super::*;

    const RECORDS: i64 = 1_000;
    const BYTES: usize = 3_000;
    const WITHIN: Duration = Duration::from_secs(60);

    /// How many messages librdkafka has queued, as of its last statistics.
    #[derive(Default)]
    struct Queued(AtomicI64);

    impl ClientContext for Queued {
        fn stats(&self, statistics: Statistics) {
            let topic = statistics.topics.get("t");
            let partition = topic.and_then(|topic| topic.partitions.get(&0));
            let queued = partition.map_or(0, |partition| partition.fetchq_cnt);
            self.0.store(queued, Relaxed);
        }
    }

    impl ConsumerContext for Queued {}

    type Reading = (Arc<BaseConsumer<Queued>>, PartitionQueue<Queued>);

    fn filled() -> MockCluster<'static, DefaultProducerContext> {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("batch.num.messages", "10")
            .create()
            .unwrap();
        for _ in 0..RECORDS {
            let record = BaseRecord::<(), [u8]>::to("t").payload(&[7; BYTES]);
            producer.send(record).unwrap();
        }
        producer.flush(WITHIN).unwrap();
        cluster
    }

    /// Begins to read, and has one record.
    fn reading(brokers: &str, amount: Amount) -> Reading {
        let text = format!("[kafka]\nbrokers = \"{brokers}\"\n");
        let settings = postback_common::config::read(Path::new("t.toml"), &text, []).unwrap();
        let mut config = reader_config(&settings.kafka, "test", "test", amount);
        config.set("statistics.interval.ms", "100");
        let reader: BaseConsumer<Queued> = config.create_with_context(Queued::default()).unwrap();
        let reader = Arc::new(reader);
        let mut begin = TopicPartitionList::new();
        let zero = Offset::Offset(0);
        begin.add_partition_offset("t", 0, zero).unwrap();
        reader.assign(&begin).unwrap();
        // Statistics are heard without taking records.
        let records = reader.split_partition_queue("t", 0).unwrap();
        let end = Instant::now() + WITHIN;
        loop {
            assert!(reader.poll(Duration::from_millis(10)).is_none());
            if let Some(first) = records.poll(Duration::from_millis(10)) {
                assert_eq!(first.unwrap().payload().unwrap().len(), BYTES);
                break;
            }
            assert!(Instant::now() < end, "no record came");
        }
        (reader, records)
    }

    #[test]
    fn for_a_few_records_few_are_fetched() {
        let cluster = filled();
        let brokers = cluster.bootstrap_servers();
        let (few, _records) = reading(&brokers, Amount::Few);
        let (stretches, _others) = reading(&brokers, Amount::Stretches);
        let queued = |reader: &BaseConsumer<Queued>| {
            reader.poll(Duration::from_millis(10));
            reader.context().0.load(Relaxed)
        };
        let end = Instant::now() + WITHIN;
        // The other one, which began later, has everything by then.
        while queued(&stretches) < RECORDS - 1 {
            assert!(Instant::now() < end, "{} are queued", queued(&stretches));
        }
        let ahead = queued(&few);
        assert!((0..100).contains(&ahead), "{ahead} are fetched ahead");
    }
}
