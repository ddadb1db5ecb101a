//! The end: nothing that was accepted goes unanswered.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use postback_ingest::limits::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::{Ingest, Kafka, LIMIT, PATH, settings, undated, until};

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

#[tokio::test]
async fn while_the_end_takes_its_time_senders_get_their_answers() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    ingest.settled.send_replace(false);
    // Neither holds up anybody else: one that never asks, and one that never ends its request.
    let silent = ingest.connect().await;
    let mut slow = ingest.connect().await;
    slow.send("GET /postb").await;
    let open = "postback_ingest_connections";
    until("they are accepted", || ingest.metric(open) == 2.0).await;
    ingest.shutdown.cancel();
    until("the end has begun", || ingest.server.is_ending()).await;
    for number in 0..20 {
        let mut sender = ingest.connect().await;
        sender.send(keep_alive(&format!("u1={number}"))).await;
        let answer = sender.rest().await;
        assert!(is_last(&answer), "{answer}");
    }
    assert!(!ingest.serving.is_finished());
    slow.send(format!("ack{}", "/x HTTP/1.1\r\n\r\n")).await;
    assert!(slow.rest().await.starts_with("HTTP/1.1 404 "));
    drop(silent);
    ingest.settled.send_replace(true);
    timeout(LIMIT, ingest.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(ingest.address).await.is_err());
    assert_eq!(ingest.kafka.records().len(), 20);
}

#[tokio::test]
async fn where_nothing_is_under_way_the_end_waits_for_nothing() {
    let limits = Limits {
        answers_within: 2 * LIMIT,
        quiet_within: 2 * LIMIT,
        last_within: 2 * LIMIT,
        ..Limits::default()
    };
    let ingest = Ingest::with(Kafka::Confirms, &settings("", ""), limits).await;
    let mut used = ingest.connect().await;
    used.send(keep_alive("u1=a")).await;
    used.answer_ending("OK").await;
    ingest.shutdown.cancel();
    timeout(LIMIT, ingest.serving).await.unwrap().unwrap();
    assert_eq!(used.rest().await, "", "it was open and idle");
}

#[tokio::test]
async fn who_comes_at_the_end_and_never_asks_does_not_hold_it_up() {
    let limits = Limits {
        // A head may take longer than this test.
        head_within: 2 * LIMIT,
        ..Limits::default()
    };
    let mut ingest = Ingest::with(Kafka::Confirms, &settings("", ""), limits).await;
    ingest.settled.send_replace(false);
    ingest.shutdown.cancel();
    until("the end has begun", || ingest.server.is_ending()).await;
    let mut slow = ingest.connect().await;
    slow.send("GET /postb").await;
    let open = "postback_ingest_connections";
    until("it is accepted", || ingest.metric(open) == 1.0).await;
    ingest.settled.send_replace(true);
    timeout(LIMIT, &mut ingest.serving).await.unwrap().unwrap();
    until("it is given up", || ingest.metric(open) == 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steady_traffic_does_not_hold_it_up_and_is_answered_to_the_last() {
    let ingest = Ingest::start(Kafka::ConfirmsAfter(Duration::from_millis(20))).await;
    let address = ingest.address;
    // Until nobody accepts any more.
    let sending = |_| async move {
        let mut answered = 0;
        while let Ok(mut stream) = TcpStream::connect(address).await {
            if stream
                .write_all(keep_alive("u1=a").as_bytes())
                .await
                .is_err()
            {
                break;
            }
            let mut answer = Vec::new();
            let read = stream.read_to_end(&mut answer).await;
            // Closing the socket resets who was not accepted by then.
            if read.is_err() && answer.is_empty() {
                break;
            }
            assert!(is_last(&undated(&answer)), "{answer:?}");
            answered += 1;
        }
        answered
    };
    ingest.settled.send_replace(false);
    ingest.shutdown.cancel();
    until("the end has begun", || ingest.server.is_ending()).await;
    let senders: Vec<_> = (0..8).map(sending).map(tokio::spawn).collect();
    until("traffic flows", || ingest.kafka.records().len() > 50).await;
    ingest.settled.send_replace(true);
    timeout(LIMIT, ingest.serving).await.unwrap().unwrap();
    let mut answered = 0;
    for sender in senders {
        answered += sender.await.unwrap();
    }
    assert_eq!(ingest.kafka.records().len(), answered);
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
