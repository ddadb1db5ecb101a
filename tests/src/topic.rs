//! A topic, read by a plain consumer and written by a plain producer.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use serde_json::Value;

use crate::wait;

/// One topic.
#[derive(Debug, Clone)]
pub struct Topic {
    brokers: String,
    name: String,
}

impl Topic {
    /// The topic of that name, whether it is there or not.
    #[must_use]
    pub fn new(brokers: &str, name: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", "postback-tests");
        config
    }

    /// Whether the broker knows it.
    ///
    /// # Panics
    /// When Kafka is away.
    #[must_use]
    pub fn exists(&self) -> bool {
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        let metadata = consumer.fetch_metadata(Some(&self.name), wait::LIMIT);
        let metadata = metadata.expect("metadata");
        metadata.topics()[0].error().is_none()
    }

    /// The values of all messages that are there now, with their partition.
    ///
    /// # Panics
    /// When Kafka is away.
    #[must_use]
    pub fn messages(&self) -> Vec<(i32, Vec<u8>)> {
        let mut config = self.config();
        let consumer: BaseConsumer = config
            .set("enable.partition.eof", "false")
            .create()
            .expect("a consumer");
        let metadata = consumer
            .fetch_metadata(Some(&self.name), wait::LIMIT)
            .expect("metadata");
        let mut assignment = TopicPartitionList::new();
        let mut expected = 0;
        for partition in metadata.topics()[0].partitions() {
            let (low, high) = consumer
                .fetch_watermarks(&self.name, partition.id(), wait::LIMIT)
                .expect("watermarks");
            expected += high - low;
            assignment
                .add_partition_offset(&self.name, partition.id(), Offset::Beginning)
                .expect("an offset");
        }
        consumer.assign(&assignment).expect("an assignment");
        let mut messages = Vec::new();
        while i64::try_from(messages.len()).expect("few") < expected {
            let message = wait::until("a message of the topic", || {
                consumer.poll(Duration::from_millis(100))
            });
            let message = message.expect("a message");
            messages.push((
                message.partition(),
                message.payload().unwrap_or_default().to_vec(),
            ));
        }
        messages
    }

    /// How many messages were written to it so far.
    ///
    /// # Panics
    /// When Kafka is away.
    #[must_use]
    pub fn end(&self) -> u64 {
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        let metadata = consumer
            .fetch_metadata(Some(&self.name), wait::LIMIT)
            .expect("metadata");
        let ends = metadata.topics()[0].partitions().iter().map(|partition| {
            let (_, high) = consumer
                .fetch_watermarks(&self.name, partition.id(), wait::LIMIT)
                .expect("watermarks");
            u64::try_from(high).expect("offsets are positive")
        });
        ends.sum()
    }

    /// All messages as the JSON objects that they must be.
    ///
    /// # Panics
    /// When one is not JSON.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        let parse =
            |(_, bytes): &(i32, Vec<u8>)| serde_json::from_slice(bytes).expect("a record is JSON");
        self.messages().iter().map(parse).collect()
    }

    /// Publishes values to one partition, past ingest.
    ///
    /// # Panics
    /// When Kafka does not take them.
    pub fn publish(&self, partition: i32, values: &[&[u8]]) {
        let producer: BaseProducer = self
            .config()
            .set("acks", "all")
            // As ingest makes them, which gathers for 2 ms.
            .set("batch.num.messages", "50")
            .create()
            .expect("a producer");
        for value in values {
            let record = BaseRecord::<(), [u8]>::to(&self.name)
                .partition(partition)
                .payload(value);
            let mut left = Some(record);
            while let Some(record) = left.take() {
                match producer.send(record) {
                    Ok(()) => {}
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                        producer.poll(Duration::from_millis(10));
                        left = Some(record);
                    }
                    Err((error, _)) => panic!("it cannot be sent: {error}"),
                }
            }
        }
        producer.flush(wait::LIMIT).expect("Kafka takes it");
    }

    /// Takes the records before these offsets away, as retention does.
    ///
    /// # Panics
    /// When Kafka refuses it.
    pub fn forget_before(&self, offsets: &[(i32, i64)]) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.name, *partition, Offset::Offset(*offset))
                .expect("an offset");
        }
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("an admin client");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime
            .block_on(admin.delete_records(&list, &AdminOptions::new()))
            .expect("Kafka forgets them");
    }

    /// First and next offset of each partition.
    ///
    /// # Panics
    /// When Kafka is away.
    #[must_use]
    pub fn extents(&self) -> Vec<(i32, i64, i64)> {
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        let metadata = consumer
            .fetch_metadata(Some(&self.name), wait::LIMIT)
            .expect("metadata");
        let extents = metadata.topics()[0].partitions().iter().map(|partition| {
            let (low, high) = consumer
                .fetch_watermarks(&self.name, partition.id(), wait::LIMIT)
                .expect("watermarks");
            (partition.id(), low, high)
        });
        extents.collect()
    }

    /// Deletes a consumer group, whose members must have left, with its offsets.
    ///
    /// # Panics
    /// When Kafka refuses it.
    pub fn forget_group(&self, group: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("an admin client");
        wait::until("the group is deleted", || {
            let options = AdminOptions::new();
            let deleted = runtime.block_on(admin.delete_groups(&[group], &options));
            deleted.expect("Kafka answers")[0].as_ref().ok().cloned()
        });
    }

    /// Removes it from Kafka. A broker that is gone by now has taken it along.
    pub fn remove(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let admin: Result<AdminClient<DefaultClientContext>, _> = self.config().create();
        if let (Ok(runtime), Ok(admin)) = (runtime, admin) {
            let options = AdminOptions::new()
                .operation_timeout(Some(Duration::from_secs(5)))
                .request_timeout(Some(Duration::from_secs(5)));
            drop(runtime.block_on(admin.delete_topics(&[&self.name], &options)));
        }
    }

    /// Makes it with Kafka's defaults, as somebody would who did not know `postback migrate`.
    ///
    /// # Panics
    /// When Kafka refuses it.
    pub fn make_plain(&self, partitions: i32) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("an admin client");
        let topic = NewTopic::new(&self.name, partitions, TopicReplication::Fixed(1));
        let made = runtime
            .block_on(admin.create_topics(&[topic], &AdminOptions::new()))
            .expect("Kafka answers");
        made[0].as_ref().expect("Kafka makes the topic");
    }
}
