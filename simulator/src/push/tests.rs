use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::ledger::line::{self, ChangeKind};
use crate::network::{Credentials, Terms};
use crate::scenario::{Chapters, Settings};

/// Answers every request with the status that it is told; 0: never.
struct Receiver {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    requests: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Receiver {
            address: listener.local_addr().unwrap(),
            status: Arc::new(AtomicU16::new(status)),
            requests: Arc::default(),
        };
        let (status, requests) = (receiver.status.clone(), receiver.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, status.clone(), requests.clone()));
            }
        });
        receiver
    }

    fn network(&self, disable_after: u32) -> Network {
        let network = Network::new(Terms {
            publisher_id: 7,
            source: "rakuten".to_owned(),
            currency: "USD".to_owned(),
            disable_after,
            kept_transactions: 10_000,
            authorization: None,
            credentials: Credentials {
                client_id: "a".to_owned(),
                client_secret: "b".to_owned(),
            },
        });
        let address = self.address;
        let url = format!(
            "http://{address}/postback/CANARY?t=<etransaction_id>&is_event=<is_event>&n=<product_name>"
        );
        network.set_up(&url, Timestamp::now()).unwrap();
        network
    }
}

async fn serve(mut stream: TcpStream, status: Arc<AtomicU16>, requests: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        let number = requests.fetch_add(1, Ordering::SeqCst);
        let status = match status.load(Ordering::SeqCst) {
            0 => std::future::pending().await,
            status => status,
        };
        let answer = format!(
            "HTTP/1.1 {status} S\r\nx-postback-id: id-{number}\r\ncontent-length: 0\r\n\r\n"
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn events(count: u64) -> mpsc::Receiver<Vec<Event>> {
    let (send, receive) = mpsc::channel(1);
    let settings = Settings::until("2026-03-02T10:00:00Z".parse().unwrap());
    tokio::spawn(async move {
        for chapter in Chapters::new(settings, count).unwrap() {
            if send.send(chapter).await.is_err() {
                return;
            }
        }
    });
    receive
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Pushes everything, and returns the ledger's lines.
async fn pushed(
    push: Push,
    network: &Network,
    count: u64,
    stop: impl Future<Output = ()>,
) -> (End, Vec<Line>) {
    let file = Shared::default();
    let book = Book::open(file.clone()).unwrap();
    let end = push
        .run(network, events(count), &book, stop, |_| {})
        .await
        .unwrap();
    book.close().unwrap();
    let bytes = file.0.lock().unwrap().clone();
    assert!(!String::from_utf8_lossy(&bytes).contains("CANARY"));
    let lines = line::read(bytes.as_slice()).map(Result::unwrap).collect();
    (end, lines)
}

fn push(rate: u32) -> Push {
    Push {
        rate,
        patience: Duration::from_secs(60),
        connections_max: 1_000,
    }
}

fn entries(lines: &[Line]) -> Vec<(u64, &Entry)> {
    let entry = |line| match line {
        &Line::Postback { number, ref entry } => Some((number, &**entry)),
        _ => None,
    };
    lines.iter().filter_map(entry).collect()
}

fn changes(lines: &[Line]) -> Vec<ChangeKind> {
    let change = |line: &Line| match line {
        Line::Endpoint(change) => Some(change.change),
        _ => None,
    };
    lines.iter().filter_map(change).collect()
}

#[tokio::test]
async fn everything_is_sent_once_and_stands_in_the_ledger() {
    let receiver = Receiver::start(200).await;
    let network = receiver.network(10);
    let (end, lines) = pushed(push(5_000), &network, 500, std::future::pending()).await;
    assert_eq!((end.counts.planned, end.counts.acknowledged), (500, 500));
    assert!(!end.interrupted && end.schedule.attempts == 500, "{end:?}");
    assert_eq!(receiver.requests.load(Ordering::SeqCst), 500);
    let mut numbers: Vec<u64> = entries(&lines).iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    assert_eq!(changes(&lines), [ChangeKind::SetUp]);
}

#[tokio::test]
async fn nobody_waits_for_answers_that_do_not_come() {
    let receiver = Receiver::start(0).await;
    let network = receiver.network(0);
    let patience = Duration::from_millis(400);
    let begin = Instant::now();
    let (end, lines) = pushed(
        Push {
            patience,
            ..push(1_000)
        },
        &network,
        200,
        std::future::pending(),
    )
    .await;
    // One after the other they would have taken 80 s.
    assert!(begin.elapsed() < Duration::from_secs(40));
    assert_eq!(end.counts.failed, 200);
    let timed_out = |(_, entry): &(u64, &Entry)| entry.failure() == Some(Failure::TimedOut);
    assert!(entries(&lines).iter().all(timed_out));
    let waited = |(_, entry): &(u64, &Entry)| entry.attempt.as_ref().unwrap().latency_us;
    assert!(entries(&lines).iter().map(waited).min() >= Some(400_000));
}

#[tokio::test]
async fn a_failing_endpoint_is_disabled_and_what_is_kept_back_is_told_nobody_but_the_ledger() {
    let receiver = Receiver::start(503).await;
    let network = receiver.network(5);
    let one = Push {
        connections_max: 1,
        ..push(1_000)
    };
    let (end, lines) = pushed(one, &network, 60, std::future::pending()).await;
    assert!(!network.is_active());
    // With one connection no attempt was under way beside the fifth.
    assert_eq!(receiver.requests.load(Ordering::SeqCst), 5);
    assert_eq!((end.counts.refused, end.counts.withheld), (5, 55));
    assert_eq!((end.counts.planned, end.counts.unsent), (60, 55));
    use ChangeKind::{DisabledByFailures, SetUp};
    assert_eq!(changes(&lines), [SetUp, DisabledByFailures]);
    let kept_back = entries(&lines)
        .iter()
        .filter(|(_, entry)| entry.withheld == Some(Withheld::Disabled))
        .count();
    assert_eq!(kept_back, 55);
}

#[tokio::test]
async fn a_stop_waits_for_what_is_under_way() {
    let receiver = Receiver::start(200).await;
    let network = receiver.network(10);
    let requests = receiver.requests.clone();
    let stop = async move {
        while requests.load(Ordering::SeqCst) < 20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let (end, lines) = pushed(push(500), &network, 1_000_000, stop).await;
    assert!(end.interrupted && end.counts.acknowledged >= 20);
    assert_eq!(end.counts.acknowledged, end.counts.planned);
    assert_eq!(entries(&lines).len() as u64, end.counts.planned);
    assert_eq!(
        receiver.requests.load(Ordering::SeqCst) as u64,
        end.counts.planned
    );
}

#[tokio::test]
async fn a_sender_that_cannot_keep_up_says_so() {
    let receiver = Receiver::start(0).await;
    let network = receiver.network(0);
    let push = Push {
        rate: 100_000,
        patience: Duration::from_millis(50),
        connections_max: 1,
    };
    let (end, _) = pushed(push, &network, 5, std::future::pending()).await;
    // Four of the five had to wait for the only connection, the last one for 200 ms.
    assert!(
        end.schedule.late >= 4 && end.schedule.latest_us >= 190_000,
        "{end:?}"
    );
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_ends_the_sending() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }
    let receiver = Receiver::start(200).await;
    let network = receiver.network(0);
    let book = Book::open(Full).unwrap();
    let events = events(10_000_000);
    let ended = push(2_000)
        .run(&network, events, &book, std::future::pending(), |_| {})
        .await;
    assert_eq!(ended, Err(Closed));
    assert!(book.close().is_err());
}
