//! Idle connections and slow heads have times of their own.

use std::time::Duration;

use postback_ingest::limits::Limits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::time::{Instant, timeout};

use crate::support::{Ingest, Kafka, LIMIT, PATH, settings, until};

/// Two requests follow one another within it even on a busy machine.
const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(600);

fn keep_alive(query: &str) -> String {
    format!("GET {PATH}?{query} HTTP/1.1\r\nHost: pb.example\r\n\r\n")
}

async fn with_times(idle_within: Duration, head_within: Duration) -> Ingest {
    let limits = Limits {
        idle_within,
        head_within,
        ..Limits::default()
    };
    Ingest::with(Kafka::Confirms, &settings("", ""), limits).await
}

#[tokio::test]
async fn a_slow_head_is_cut_while_idle_connections_stay() {
    let ingest = with_times(LONG, SHORT).await;
    let (mut fresh, mut used) = (ingest.connect().await, ingest.connect().await);
    used.send(keep_alive("u1=a")).await;
    used.answer_ending("OK").await;
    // Blank lines before a request begin none (RFC 9112, section 2.2).
    used.send("\r\n").await;
    for (number, begun) in [
        "G",
        "GET ",
        "GET /postback/can",
        "GET / HTTP/1.1\r\nHost: x",
    ]
    .into_iter()
    .enumerate()
    {
        let mut slow = ingest.connect().await;
        slow.send(begun).await;
        assert_eq!(slow.rest().await, "", "{begun}");
        until("it is counted", || {
            ingest.refusals("head_incomplete") == 1.0 + number as f64
        })
        .await;
    }
    let mut again = ingest.connect().await;
    again.send(keep_alive("u1=b")).await;
    again.answer_ending("OK").await;
    // Behind another, in one piece with it.
    again.send(format!("{}GE", keep_alive("u1=c"))).await;
    let answer = again.rest().await;
    assert!(answer.ends_with("\r\n\r\nOK"), "{answer}");
    for idle in [&mut fresh, &mut used] {
        idle.send(keep_alive("u1=d")).await;
        idle.answer_ending("OK").await;
    }
    assert_eq!(ingest.refusals("head_incomplete"), 5.0);
}

#[tokio::test]
async fn a_head_that_comes_in_drops_gets_no_more_time() {
    let ingest = with_times(LONG, SHORT).await;
    let mut slow = ingest.connect().await;
    let sent = async {
        for byte in keep_alive(&"x".repeat(10_000)).bytes() {
            use tokio::io::AsyncWriteExt as _;
            if slow.stream.write_all(&[byte]).await.is_err() {
                return false;
            }
            tokio::time::sleep(SHORT / 50).await;
        }
        true
    };
    assert!(!sent.await, "it was cut");
    assert!(ingest.kafka.records().is_empty());
}

#[tokio::test]
async fn an_idle_connection_is_closed_while_a_slow_head_stays() {
    let ingest = with_times(SHORT, LONG).await;
    let mut slow = ingest.connect().await;
    slow.send("GET ").await;
    let mut used = ingest.connect().await;
    for _ in 0..2 {
        used.send(keep_alive("u1=a")).await;
        used.answer_ending("OK").await;
    }
    assert_eq!(used.rest().await, "");
    assert_eq!(ingest.connect().await.rest().await, "", "it never asked");
    let request = keep_alive("u1=slow");
    slow.send(request.strip_prefix("GET ").unwrap()).await;
    slow.answer_ending("OK").await;
    assert_eq!(slow.rest().await, "");
    assert_eq!(
        ingest.refusals("head_incomplete"),
        0.0,
        "idling is no refusal"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_never_reads_is_cut() {
    let limits = Limits {
        unread_within: SHORT,
        idle_within: LONG,
        head_within: LONG,
        ..Limits::default()
    };
    let ingest = Ingest::with(Kafka::Confirms, &settings("", ""), limits).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut deaf = socket.connect(ingest.address).await.unwrap();
    let requests = "GET /postback/none HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    let begun = Instant::now();
    // Until its answers fill all that the operating system keeps, and its requests as well.
    let sending = async { while deaf.write_all(requests.as_bytes()).await.is_ok() {} };
    timeout(LIMIT, sending).await.expect("it is cut");
    assert!(begun.elapsed() >= SHORT);
    until("it is closed", || {
        ingest.metric("postback_ingest_connections") == 0.0
    })
    .await;
}
