//! 200 only after Kafka's word, and 503 in time.

use std::time::Duration;

use postback_ingest::limits::Limits;
use tokio::time::{Instant, sleep};

use crate::support::{Ingest, Kafka, PATH, get, request, settings};

const TRY_AGAIN: &str = "HTTP/1.1 503 Service Unavailable\r\n\
                         content-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n\
                         connection: close\r\ncontent-length: 9\r\n\r\ntry again";

#[tokio::test]
async fn what_kafka_does_not_confirm_gets_503_at_the_deadline() {
    let due = settings("answer_within_ms = 80", "");
    let ingest = Ingest::with(Kafka::Silent, &due, Limits::default()).await;
    let begun = Instant::now();
    assert_eq!(ingest.exchange(get(PATH)).await, TRY_AGAIN);
    // Kafka is waited for 24/25 of the time; the rest is for the timer and for writing.
    assert!(begun.elapsed() >= Duration::from_millis(76));
    assert_eq!(ingest.refusals("not_confirmed"), 1.0);
    assert_eq!(
        ingest.kafka.records().len(),
        1,
        "it is on its way all the same"
    );
}

#[tokio::test]
async fn what_the_queue_does_not_take_gets_503_at_once() {
    // A minute: an answer that waited for the deadline would fail the test's own limit.
    let due = settings("answer_within_ms = 60000", "");
    for kafka in [Kafka::QueueFull, Kafka::SaysNo] {
        let ingest = Ingest::with(kafka, &due, Limits::default()).await;
        assert_eq!(ingest.exchange(get(PATH)).await, TRY_AGAIN, "{kafka:?}");
        assert_eq!(ingest.refusals("nowhere_to_store"), 1.0);
    }
}

#[tokio::test]
async fn a_confirmation_before_the_deadline_is_waited_for() {
    let due = settings("answer_within_ms = 20000", "");
    let late = Kafka::ConfirmsAfter(Duration::from_millis(120));
    let ingest = Ingest::with(late, &due, Limits::default()).await;
    let begun = Instant::now();
    let answer = ingest.exchange(get(PATH)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        begun.elapsed() >= Duration::from_millis(120),
        "200 before Kafka's word"
    );
}

#[tokio::test]
async fn the_deadline_counts_from_the_last_byte() {
    let due = settings("answer_within_ms = 500", "");
    let ingest = Ingest::with(Kafka::Silent, &due, Limits::default()).await;
    let mut sender = ingest.connect().await;
    sender
        .send(request("POST", PATH, "Content-Length: 10\r\n", "12345"))
        .await;
    // A slow sender: its body takes longer than the answer may.
    sleep(Duration::from_millis(700)).await;
    let begun = Instant::now();
    sender.send("67890").await;
    assert_eq!(sender.rest().await, TRY_AGAIN);
    assert!(
        begun.elapsed() >= Duration::from_millis(480),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(ingest.kafka.records()[0]["body"]["utf8"], "1234567890");
}
