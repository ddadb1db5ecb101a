//! A supervisor holds ingest's socket: what waits in its queue is answered by whoever comes next.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use postback_tests::raw::{exchange, request};
use postback_tests::{Pipeline, Program, Setup, wait};

use crate::templates::COMPLETE;

/// One request on a connection of its own.
struct Attempt {
    begun: Instant,
    /// The record's id, if it was acknowledged.
    id: Option<String>,
}

fn attempt(address: SocketAddr, path: &str) -> Attempt {
    let begun = Instant::now();
    let answer = exchange(address, &request("GET", path.as_bytes(), "", b""));
    let stored = answer.filter(|answer| answer.status == 200);
    let id = stored.map(|answer| answer.header("x-postback-id").unwrap().to_owned());
    Attempt { begun, id }
}

fn send_until(end: &AtomicBool, address: SocketAddr, path: &str) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    while !end.load(Relaxed) {
        attempts.push(attempt(address, path));
    }
    attempts
}

fn prepared(name: &str) -> (Pipeline, TcpListener) {
    let pipeline = Setup::new(name).source("rakuten-us", COMPLETE).prepare();
    pipeline.migrate();
    let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    (pipeline, socket)
}

fn start(pipeline: &Pipeline, socket: &TcpListener) -> Program {
    pipeline.start_ingest_with_socket(socket.try_clone().unwrap().into(), None)
}

const SENDERS: usize = 6;
const KILLS: usize = 3;

#[test]
fn a_killed_ingest_loses_at_most_what_was_in_flight() {
    let (pipeline, socket) = prepared("handover");
    let address = socket.local_addr().unwrap();
    let path = format!("{}?u1=a", pipeline.sources[0].path());
    let mut ingest = start(&pipeline, &socket);
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    assert!(
        ingest.output().contains("handed_over"),
        "{}",
        ingest.output()
    );

    let end = AtomicBool::new(false);
    let (attempts, gaps) = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| scope.spawn(|| send_until(&end, address, &path)))
            .collect();
        let mut gaps = Vec::new();
        for _ in 0..KILLS {
            let before = pipeline.topic.messages().len();
            wait::until_true("requests are being answered", || {
                pipeline.topic.messages().len() > before + 20
            });
            ingest.process().kill();
            let gone = Instant::now();
            // Long enough for every sender to have come to the queue.
            std::thread::sleep(Duration::from_millis(200));
            gaps.push((gone, Instant::now()));
            ingest = start(&pipeline, &socket);
            pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
        }
        end.store(true, Relaxed);
        let attempts = senders
            .into_iter()
            .flat_map(|sender| sender.join().unwrap());
        (attempts.collect::<Vec<_>>(), gaps)
    });
    let in_gap = |attempt: &&Attempt| {
        (gaps.iter()).any(|(gone, back)| (*gone..*back).contains(&attempt.begun))
    };
    let (waited, others): (Vec<_>, Vec<_>) = attempts.iter().partition(in_gap);
    assert!(!waited.is_empty(), "somebody came while nobody was there");
    assert!(
        waited.iter().all(|attempt| attempt.id.is_some()),
        "and was answered"
    );
    let failed = others.iter().filter(|attempt| attempt.id.is_none());
    let failed: Vec<_> = failed.map(|attempt| attempt.begun).collect();
    assert!(failed.len() <= SENDERS * KILLS, "{} failed", failed.len());

    // SIGTERM: nothing fails at all.
    assert_eq!(ingest.terminate(), 0);
    let ingest = std::thread::scope(|scope| {
        let late = scope.spawn(|| attempt(address, &path));
        let next = start(&pipeline, &socket);
        assert!(
            late.join().unwrap().id.is_some(),
            "the successor answers the queue"
        );
        next
    });
    assert_eq!(ingest.terminate(), 0);
    let stored: BTreeSet<String> = (pipeline.topic.records().iter())
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect();
    let missing = attempts.iter().filter_map(|attempt| attempt.id.as_ref());
    assert_eq!(missing.filter(|id| !stored.contains(*id)).count(), 0);
}

#[test]
fn a_socket_of_the_wrong_kind_is_refused() {
    let pipeline = Setup::new("handover_kind").prepare();
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("file")).unwrap();
    let datagrams = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let connected = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let cases: [(OwnedFd, &str); 3] = [
        (file.into(), "fd 3 is not a socket"),
        (datagrams.into(), "fd 3 is not a valid tcp socket"),
        (connected.into(), "it does not listen"),
    ];
    for (socket, problem) in cases {
        let ingest = pipeline.start_ingest_with_socket(socket, None);
        let log = pipeline.log("postback-ingest");
        assert_eq!(ingest.exit_code(), 2);
        let said = std::fs::read_to_string(log).unwrap();
        let words =
            format!("LISTEN_FDS: descriptor 3, which is to be the socket ingest: {problem}");
        assert!(said.contains(&words), "{said}");
    }
}

#[test]
fn the_supervisor_is_told_when_it_is_ready_and_when_it_ends() {
    let (pipeline, socket) = prepared("handover_notify");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let notified = UnixDatagram::bind(&path).unwrap();
    notified.set_read_timeout(Some(wait::LIMIT)).unwrap();
    let next = || {
        let mut text = [0; 100];
        let length = notified.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let ingest = pipeline.start_ingest_with_socket(socket.into(), Some(&path));
    assert_eq!(next().trim(), "READY=1");
    assert!(
        pipeline.readiness(pipeline.ingest_admin).is_some(),
        "it listens"
    );
    assert_eq!(ingest.terminate(), 0);
    assert_eq!(next().trim(), "STOPPING=1");
}
