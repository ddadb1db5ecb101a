//! Beyond the bounds: 503 at once, counted.

use std::time::Duration;

use postback_ingest::limits::Limits;
use tokio::io::AsyncWriteExt as _;

use crate::support::{Ingest, Kafka, PATH, get, request, settings, until};

const CONNECTION_TOO_MANY: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain; charset=utf-8\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 9\r\n\r\ntry again";

fn keep_alive(query: &str) -> String {
    format!("GET {PATH}?{query} HTTP/1.1\r\nHost: pb.example\r\n\r\n")
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_at_once() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let ingest = Ingest::with(Kafka::Confirms, &settings("", ""), limits).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut sender = ingest.connect().await;
        sender.send(keep_alive("u1=a")).await;
        sender.answer_ending("OK").await;
        open.push(sender);
    }
    for times in 1..=3_u8 {
        assert_eq!(ingest.exchange(get(PATH)).await, CONNECTION_TOO_MANY);
        assert_eq!(ingest.refusals("overloaded"), f64::from(times));
    }
    // A request of which only the beginning has come is answered too.
    let mut large = ingest.connect().await;
    large.send(keep_alive(&"x".repeat(10_000))).await;
    assert_eq!(large.rest().await, CONNECTION_TOO_MANY);
    assert_eq!(ingest.kafka.records().len(), 2);

    open.pop();
    until("there is room again", || {
        ingest.metric("postback_ingest_connections") == 1.0
    })
    .await;
    let mut next = ingest.connect().await;
    next.send(keep_alive("u1=b")).await;
    next.answer_ending("OK").await;
    let strangers = "postback_ingest_requests_total{source=\"\",key=\"\",status=\"503\"}";
    assert_eq!(ingest.metric(strangers), 4.0);
}

#[tokio::test]
async fn a_request_too_many_is_told_so_and_its_connection_stays() {
    let limits = Limits {
        in_flight: 2,
        ..Limits::default()
    };
    let due = settings("answer_within_ms = 60000", "");
    let ingest = Ingest::with(Kafka::Silent, &due, limits).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut sender = ingest.connect().await;
        sender.send(keep_alive("u1=waits")).await;
        waiting.push(sender);
    }
    until("both wait", || ingest.kafka.records().len() == 2).await;
    let mut third = ingest.connect().await;
    for _ in 0..2 {
        third.send(keep_alive("u1=third")).await;
        let answer = third.answer_ending("try again").await;
        let expected = "HTTP/1.1 503 Service Unavailable\r\n\
            content-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n\
            content-length: 9\r\n\r\ntry again";
        assert_eq!(answer, expected);
    }
    assert_eq!(ingest.refusals("overloaded"), 2.0);
    let counted = "postback_ingest_requests_total{source=\"shop\",key=\"spring\",status=\"503\"}";
    assert_eq!(ingest.metric(counted), 2.0);
    assert_eq!(ingest.kafka.records().len(), 2);
    ingest.kafka.confirm_all();
    for sender in &mut waiting {
        sender.answer_ending("OK").await;
    }
    third.send(keep_alive("u1=again")).await;
    until("it is taken", || ingest.kafka.records().len() == 3).await;
}

#[tokio::test]
async fn bodies_have_room_together() {
    let limits = Limits {
        request_bytes: 1_000,
        body_within: Duration::from_secs(60),
        ..Limits::default()
    };
    let ingest = Ingest::with(Kafka::Confirms, &settings("", ""), limits).await;
    let announced = |body: &str| {
        let length = format!("Content-Length: {}\r\n", body.len());
        request("POST", PATH, &length, body)
    };
    let chunked = |body: &str| {
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        request("POST", PATH, "Transfer-Encoding: chunked\r\n", &chunk)
    };
    let (mut first, body) = (ingest.connect().await, "b".repeat(800));
    let whole = announced(&body);
    let (begin, end) = whole.split_at(whole.len() - 1);
    first.send(begin).await;
    let in_flight = "postback_ingest_requests_in_flight";
    until("it is under way", || ingest.metric(in_flight) == 1.0).await;
    for request in [announced(&"c".repeat(300)), chunked(&"c".repeat(300))] {
        let answer = ingest.exchange(request).await;
        assert_eq!(answer, CONNECTION_TOO_MANY);
    }
    assert_eq!(ingest.refusals("overloaded"), 2.0);
    let fits = ingest.exchange(announced(&"c".repeat(200))).await;
    assert!(fits.starts_with("HTTP/1.1 200 "), "{fits}");
    let bodiless = ingest.exchange(get(PATH)).await;
    assert!(bodiless.starts_with("HTTP/1.1 200 "), "{bodiless}");

    first.send(end).await;
    first.stream.shutdown().await.unwrap();
    let answer = first.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for request in [announced(&"c".repeat(1_000)), chunked(&"c".repeat(900))] {
        let answer = ingest.exchange(request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[tokio::test]
async fn heads_in_pieces_have_room_together() {
    let limits = Limits {
        request_bytes: 10_000,
        head_within: Duration::from_secs(60),
        ..Limits::default()
    };
    let ingest = Ingest::with(Kafka::Confirms, &settings("", ""), limits).await;
    let (piece, open) = ("x".repeat(6_000), "postback_ingest_connections");
    let whole = keep_alive(&piece);
    let (begin, end) = whole.split_at(whole.len() - 1);
    let mut first = ingest.connect().await;
    first.send(begin).await;
    let mut second = ingest.connect().await;
    // Whichever has no room is closed; the other's end is not there yet.
    second.send(begin).await;
    until("one is closed", || ingest.refusals("overloaded") == 1.0).await;
    until("one is open", || ingest.metric(open) == 1.0).await;
    let closed = second.rest().await;
    assert_eq!(closed, "");
    // A head in one piece needs no room, and what is whole gives it back.
    let mut third = ingest.connect().await;
    third.send(keep_alive("u1=a")).await;
    third.answer_ending("OK").await;
    first.send(end).await;
    first.answer_ending("OK").await;
    third.send(begin).await;
    third.send(end).await;
    third.answer_ending("OK").await;
    assert_eq!(ingest.refusals("overloaded"), 1.0);
}
