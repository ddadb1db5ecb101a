//! The end: nothing that was accepted goes unanswered.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use postback_ingest::limits::Limits;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::{Ingest, Kafka, LIMIT, PATH, settings, until};

fn keep_alive(query: &str) -> String {
    format!("GET {PATH}?{query} HTTP/1.1\r\nHost: pb.example\r\n\r\n")
}

fn is_last(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\nconnection: close\r\n")
}

#[tokio::test]
async fn a_lame_duck_takes_connections_and_closes_each_behind_its_answer() {
    let lame_duck = Duration::from_secs(4);
    let limits = Limits {
        lame_duck,
        ..Limits::default()
    };
    let ingest = Ingest::with(Kafka::Confirms, &settings("", ""), limits).await;
    let mut before = ingest.connect().await;
    before.send(keep_alive("u1=a")).await;
    let answer = before.answer_ending("OK").await;
    assert!(!answer.contains("connection: close"), "{answer}");

    let begun = Instant::now();
    ingest.shutdown.cancel();
    until("the end has begun", || ingest.server.is_ending()).await;
    before.send(keep_alive("u1=b")).await;
    let answer = before.rest().await;
    assert!(is_last(&answer), "{answer}");
    let mut after = ingest.connect().await;
    after.send(keep_alive("u1=c")).await;
    let answer = after.rest().await;
    assert!(is_last(&answer), "{answer}");
    timeout(LIMIT, ingest.serving).await.unwrap().unwrap();
    assert!(begun.elapsed() >= lame_duck);
    assert!(TcpStream::connect(ingest.address).await.is_err());
    assert_eq!(ingest.kafka.records().len(), 3);
}

#[tokio::test]
async fn a_connection_that_has_carried_no_request_may_send_one_at_the_end() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let mut fresh = ingest.connect().await;
    let open = "postback_ingest_connections";
    until("it is accepted", || ingest.metric(open) == 1.0).await;
    ingest.shutdown.cancel();
    until("the end has begun", || ingest.server.is_ending()).await;
    fresh.send(keep_alive("u1=late")).await;
    let answer = fresh.rest().await;
    assert!(is_last(&answer), "{answer}");
    timeout(LIMIT, ingest.serving).await.unwrap().unwrap();
}

/// One thread: what connects while this test does not wait is in the operating system's queue.
#[tokio::test(flavor = "current_thread")]
async fn connections_in_the_queue_are_answered_before_the_socket_is_closed() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let mut queued: Vec<std::net::TcpStream> = Vec::new();
    for number in 0..50 {
        let mut stream = std::net::TcpStream::connect(ingest.address).unwrap();
        let request = keep_alive(&format!("u1={number}"));
        stream.write_all(request.as_bytes()).unwrap();
        queued.push(stream);
    }
    ingest.shutdown.cancel();
    timeout(LIMIT, ingest.serving).await.unwrap().unwrap();
    for mut stream in queued {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(is_last(&answer), "{answer}");
    }
    assert_eq!(ingest.kafka.records().len(), 50);
}
