//! Connections: cut short, slow, reused, bounded, and ended.

use std::time::Duration;

use postback_ingest::limits::Limits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Ingest, Kafka, LIMIT, PATH, get, request, settings, until};

fn keep_alive(query: &str) -> String {
    format!("GET {PATH}?{query} HTTP/1.1\r\nHost: pb.example\r\n\r\n")
}

#[tokio::test]
async fn a_request_cut_short_is_no_postback() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let whole = get(&format!("{PATH}?u1=whole"));
    for cut in [1, 10, 40, whole.len() - 1] {
        assert_eq!(ingest.exchange(&whole[..cut]).await, "", "cut at {cut}");
    }
    until("each is counted", || {
        ingest.refusals("head_incomplete") == 4.0
    })
    .await;
    let short = request("POST", PATH, "Content-Length: 10\r\n", "12345");
    let answer = ingest.exchange(short).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
        "{answer}"
    );
    until("the body too", || ingest.refusals("body_incomplete") == 1.0).await;
    assert_eq!(ingest.refusals("head_incomplete"), 4.0);
    assert!(ingest.kafka.records().is_empty());
    assert!(ingest.exchange(&whole).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(ingest.kafka.records().len(), 1);
}

#[tokio::test]
async fn requests_behind_one_another_are_answered_in_order() {
    let ingest = Ingest::start(Kafka::Confirms).await;
    let both = format!(
        "{}{}",
        keep_alive("u1=first"),
        get(&format!("{PATH}?u1=second"))
    );
    let answers = ingest.exchange(both).await;
    assert_eq!(
        answers.matches("HTTP/1.1 200 OK\r\n").count(),
        2,
        "{answers}"
    );
    let queries: Vec<_> = ingest
        .kafka
        .records()
        .iter()
        .map(|r| r["query"]["utf8"].clone())
        .collect();
    assert_eq!(queries, ["u1=first", "u1=second"]);
}

#[tokio::test]
async fn a_connection_outlives_a_refused_body() {
    let limits = settings("max_body_bytes = 10", "");
    let ingest = Ingest::with(Kafka::Confirms, &limits, Limits::default()).await;
    let mut sender = ingest.connect().await;
    let body = "b".repeat(50_000);
    let large = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n{body}");
    sender.send(large).await;
    let refused = sender.answer_ending("body too large").await;
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    sender.send(keep_alive("u1=next")).await;
    let answer = sender.answer_ending("OK").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed() {
    let limits = Limits {
        idle_within: Duration::from_millis(150),
        head_within: Duration::from_millis(150),
        ..Limits::default()
    };
    let ingest = Ingest::with(Kafka::Confirms, &settings("", ""), limits).await;
    let mut slow = ingest.connect().await;
    slow.send("GET /postback/can").await;
    assert_eq!(slow.rest().await, "");
    until("it is counted", || {
        ingest.refusals("head_incomplete") == 1.0
    })
    .await;

    let mut idle = ingest.connect().await;
    idle.send(keep_alive("u1=a")).await;
    let answer = idle.rest().await;
    assert!(answer.ends_with("\r\n\r\nOK"), "{answer}");
    let open = "postback_ingest_connections";
    until("both are closed", || ingest.metric(open) == 0.0).await;
    assert_eq!(
        ingest.refusals("head_incomplete"),
        1.0,
        "idling is no refusal"
    );
}

#[tokio::test]
async fn a_slow_body_gets_408() {
    let limits = Limits {
        body_within: Duration::from_millis(100),
        ..Limits::default()
    };
    let ingest = Ingest::with(Kafka::Confirms, &settings("", ""), limits).await;
    let mut sender = ingest.connect().await;
    let partial = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    sender.send(partial).await;
    let expected = "HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n\
                    connection: close\r\ncontent-length: 15\r\n\r\nbody incomplete";
    assert_eq!(sender.rest().await, expected);
    assert_eq!(ingest.refusals("body_incomplete"), 1.0);
    assert!(ingest.kafka.records().is_empty());
}

#[tokio::test]
async fn the_end_answers_what_runs_and_takes_nothing_new() {
    let late = Kafka::ConfirmsAfter(Duration::from_millis(400));
    let due = settings("answer_within_ms = 20000", "");
    let ingest = Ingest::with(late, &due, Limits::default()).await;
    let mut idle = ingest.connect().await;
    idle.send("").await;
    let mut running = ingest.connect().await;
    running.send(keep_alive("u1=running")).await;
    until("it is under way", || ingest.kafka.records().len() == 1).await;

    ingest.shutdown.cancel();
    let answer = running.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(idle.rest().await, "");
    timeout(LIMIT, ingest.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(ingest.address).await.is_err());
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let limits = Limits {
        answers_within: Duration::from_millis(100),
        ..Limits::default()
    };
    let due = settings("answer_within_ms = 60000", "");
    let ingest = Ingest::with(Kafka::Silent, &due, limits).await;
    let mut stuck = ingest.connect().await;
    stuck.send(keep_alive("u1=stuck")).await;
    until("it is under way", || ingest.kafka.records().len() == 1).await;
    ingest.shutdown.cancel();
    timeout(LIMIT, ingest.serving).await.unwrap().unwrap();
    drop(stuck.stream.shutdown().await);
}
