use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::delivery::{Registration, plan};
use crate::event::Event;
use crate::ledger::Failure;
use crate::totals::Totals;

/// What the receiver does with one request.
#[derive(Clone, Copy)]
enum Reply {
    Ok,
    OkAndClose,
    NotFound,
    Never,
    /// Answers with 200, but only when the next request has come.
    Late,
    Reset,
}

/// A receiver that does `script[n]` with the n-th request (the last for all that follow) and keeps
/// what it was sent.
struct Receiver {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start(script: &'static [Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (seen, opened) = (requests.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, script, seen.clone()));
            }
        });
        Receiver {
            address,
            requests,
            connections,
        }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, script: &'static [Reply], seen: Arc<Mutex<Vec<String>>>) {
    while let Some(head) = read_head(&mut stream).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(head);
            seen.len() - 1
        };
        let reply = script.get(number).or(script.last()).copied().unwrap();
        let answer = match reply {
            Reply::Ok | Reply::Late => {
                format!(
                    "HTTP/1.1 200 OK\r\nx-postback-id: id-{number}\r\ncontent-length: 2\r\n\r\nOK"
                )
            }
            Reply::OkAndClose => {
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            Reply::NotFound => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Reply::Never => std::future::pending().await,
            Reply::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
        };
        if matches!(reply, Reply::Late) {
            while seen.lock().unwrap().len() < number + 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        if matches!(reply, Reply::OkAndClose) {
            return;
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

fn deliveries(count: u32) -> Vec<Delivery> {
    let events: Vec<Event> = (0..count)
        .map(|number| Event {
            transaction_id: Some(number.to_string()),
            ..Event::example("2026-03-01T12:00:00Z".parse().unwrap())
        })
        .collect();
    let url = "/postback/k?t=<etransaction_id>&is_event=<is_event>";
    plan(&events, &Registration::new("rakuten", url, "USD").unwrap())
}

#[tokio::test]
async fn sends_each_once_over_the_connections_it_was_given() {
    let receiver = Receiver::start(&[Reply::Ok]).await;
    let mut last = Progress::default();
    let mut steps = 0;
    let ledger = Sender::new(receiver.address, 3)
        .with_patience(Duration::from_secs(60))
        .send(deliveries(200), |progress| {
            last = *progress;
            steps += 1;
        })
        .await;
    assert_eq!(ledger.counts().acknowledged, 200);
    assert_eq!(ledger.acknowledged_ids().len(), 200);
    assert_eq!(
        (last, steps),
        (
            Progress {
                planned: 200,
                sent: 200,
                acknowledged: 200
            },
            200
        )
    );

    assert_eq!(receiver.connections.load(Ordering::SeqCst), 3);
    let line = |head: &String| head.lines().next().unwrap_or_default().to_owned();
    let mut seen: Vec<String> = receiver.requests().iter().map(line).collect();
    seen.sort();
    let mut expected: Vec<String> = (0..200)
        .map(|n| format!("GET /postback/k?t={n}&is_event=N HTTP/1.1"))
        .collect();
    expected.sort();
    assert_eq!(seen, expected);
    let host = format!("host: {}\r\n", receiver.address);
    assert!(receiver.requests().iter().all(|head| head.contains(&host)));
}

#[tokio::test]
async fn records_a_refusal() {
    let receiver = Receiver::start(&[Reply::NotFound]).await;
    let ledger = patient(&receiver).send(deliveries(1), |_| {}).await;
    assert_eq!(ledger.entries[0].status(), Some(404));
    assert_eq!(ledger.entries[0].postback_id(), None);
    assert_eq!(ledger.unexpected().count(), 1);
}

#[tokio::test]
async fn stops_waiting_for_a_late_answer_and_does_not_send_again() {
    let receiver = Receiver::start(&[Reply::Ok, Reply::Late, Reply::Ok]).await;
    let sender = Sender::new(receiver.address, 1).with_patience(Duration::from_secs(2));
    let ledger = sender.send(deliveries(3), |_| {}).await;
    let failures: Vec<_> = ledger.entries.iter().map(Entry::failure).collect();
    assert_eq!(failures, [None, Some(Failure::TimedOut), None]);
    // The late answer is not taken for that to the next request.
    let ids: Vec<_> = ledger.entries.iter().map(Entry::postback_id).collect();
    assert_eq!(ids, [Some("id-0"), None, Some("id-2")]);
    let waited = ledger.entries[1].attempt.as_ref().unwrap().latency_us;
    assert!(waited >= 2_000_000, "{waited} us");
    assert_eq!(receiver.requests().len(), 3);
    assert_eq!(receiver.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn waits_as_long_as_the_network_does() {
    let receiver = Receiver::start(&[Reply::Never]).await;
    let ledger = Sender::new(receiver.address, 1)
        .send(deliveries(1), |_| {})
        .await;
    assert_eq!(ledger.entries[0].failure(), Some(Failure::TimedOut));
    let waited = ledger.entries[0].attempt.as_ref().unwrap().latency_us;
    assert!(waited >= 400_000, "{waited} us");
}

#[tokio::test]
async fn a_reset_connection_is_a_failure_and_the_next_request_has_a_new_one() {
    let receiver = Receiver::start(&[Reply::Ok, Reply::Reset, Reply::Ok]).await;
    let ledger = patient(&receiver).send(deliveries(3), |_| {}).await;
    let failures: Vec<_> = ledger.entries.iter().map(Entry::failure).collect();
    assert_eq!(failures, [None, Some(Failure::ConnectionLost), None]);
    assert_eq!(receiver.requests().len(), 3);
}

#[tokio::test]
async fn a_connection_that_the_receiver_closes_in_order_costs_nothing() {
    let receiver = Receiver::start(&[Reply::OkAndClose]).await;
    let ledger = patient(&receiver).send(deliveries(20), |_| {}).await;
    assert_eq!(ledger.counts().acknowledged, 20);
    assert_eq!(receiver.connections.load(Ordering::SeqCst), 20);
}

#[test]
fn nobody_listens_and_the_ledger_says_so() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let ledger = Sender::new(address, 2)
        .send_blocking(deliveries(5), |_| {})
        .unwrap();
    assert_eq!(ledger.counts().failed, 5);
    assert!(
        ledger
            .entries
            .iter()
            .all(|entry| entry.failure() == Some(Failure::Connect))
    );
    assert!(ledger.totals().conversions.is_empty());
    assert_eq!(Totals::of(&ledger.entries).conversions.len(), 5);
}

fn patient(receiver: &Receiver) -> Sender {
    Sender::new(receiver.address, 1).with_patience(Duration::from_secs(60))
}
