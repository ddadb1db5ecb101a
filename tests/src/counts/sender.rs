//! Writes to the topic what the books say, at a rate, whatever happens to the brokers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::books::Books;
use crate::wait;

/// How often a handful is sent.
const BEAT: Duration = Duration::from_millis(20);

/// A sender at work; what it has begun is written before it ends.
#[derive(Debug)]
pub(super) struct Sender {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Sender {
    /// Begins to send so many messages a second.
    pub(super) fn begin(brokers: &str, topic: &str, books: Arc<Books>, rate: u32) -> Self {
        let producer = producer(brokers);
        let (stop, topic) = (Arc::new(AtomicBool::new(false)), topic.to_owned());
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || send(&producer, &topic, &books, rate, &told));
        Self { stop, thread }
    }

    /// Stops, and waits until Kafka has all of it.
    pub(super) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the sender does not panic");
    }
}

/// Sends so many messages, and waits until Kafka has them.
pub(super) fn send_now(brokers: &str, topic: &str, books: &Books, many: u32) {
    let producer = producer(brokers);
    for _ in 0..many {
        write(&producer, topic, books);
    }
    producer.flush(wait::LIMIT).expect("Kafka takes it");
}

fn producer(brokers: &str) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        // A broker that is killed must not write anything twice or out of order: each message is in
        // the topic once.
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("reconnect.backoff.max.ms", "500")
        .create()
        .expect("a producer")
}

fn send(producer: &BaseProducer, topic: &str, books: &Books, rate: u32, stop: &AtomicBool) {
    let begin = Instant::now();
    let mut sent = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        let due = begin.elapsed().as_secs_f64() * f64::from(rate);
        while f64::from(sent) < due {
            write(producer, topic, books);
            sent += 1;
        }
        producer.poll(BEAT);
    }
    producer.flush(wait::LIMIT).expect("Kafka takes it");
}

fn write(producer: &BaseProducer, topic: &str, books: &Books) {
    let message = books.next();
    let mut left = Some(
        BaseRecord::<(), [u8]>::to(topic)
            .partition(message.partition)
            .payload(&message.bytes),
    );
    while let Some(record) = left.take() {
        match producer.send(record) {
            Ok(()) => {}
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                producer.poll(BEAT);
                left = Some(record);
            }
            Err((error, _)) => panic!("it cannot be sent: {error}"),
        }
    }
}
