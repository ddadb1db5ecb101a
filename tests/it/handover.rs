//! A supervisor holds ingest's socket: what waits in its queue is answered by whoever comes next.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use postback_load::{Attempt as Planned, Ledger, OpenLoop, Request};
use postback_stack::Launch;
use postback_tests::pipeline::get;
use postback_tests::program::binary;
use postback_tests::raw::{exchange, request};
use postback_tests::{Pipeline, Program, Setup, wait};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::outage::own_kafka;
use crate::templates::COMPLETE;

/// One request on a connection of its own.
struct Attempt {
    begun: Instant,
    ended: Instant,
    /// The record's id, if it was acknowledged.
    id: Option<String>,
}

fn attempt(address: SocketAddr, path: &str) -> Attempt {
    let begun = Instant::now();
    let answer = exchange(address, &request("GET", path.as_bytes(), "", b""));
    let stored = answer.filter(|answer| answer.status == 200);
    let id = stored.map(|answer| answer.header("x-postback-id").unwrap().to_owned());
    let ended = Instant::now();
    Attempt { begun, ended, id }
}

fn send_until(end: &AtomicBool, address: SocketAddr, path: &str) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    while !end.load(Relaxed) {
        attempts.push(attempt(address, path));
    }
    attempts
}

/// Connections with a request each; the operating system has taken them, whoever answers.
fn queue(address: SocketAddr, path: &str) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(wait::LIMIT)).unwrap();
        let request = request("GET", path.as_bytes(), "", b"");
        stream.write_all(&request).unwrap();
        stream
    };
    (0..QUEUED).map(connect).collect()
}

/// Each is answered, and stored.
fn expect_answers(queue: Vec<TcpStream>) {
    for mut stream in queue {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
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
/// Connections that come while nobody is there.
const QUEUED: usize = 5;

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
    let (attempts, kills) = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| scope.spawn(|| send_until(&end, address, &path)))
            .collect();
        let mut kills = Vec::new();
        for _ in 0..KILLS {
            let before = pipeline.topic.messages().len();
            wait::until_true("requests are being answered", || {
                pipeline.topic.messages().len() > before + 20
            });
            let killed = Instant::now();
            ingest.process().kill();
            kills.push(killed..Instant::now());
            let waiting = queue(address, &path);
            ingest = start(&pipeline, &socket);
            expect_answers(waiting);
        }
        end.store(true, Relaxed);
        let attempts = senders
            .into_iter()
            .flat_map(|sender| sender.join().unwrap());
        (attempts.collect::<Vec<_>>(), kills)
    });
    let failed = attempts.iter().filter(|attempt| attempt.id.is_none());
    let failed: Vec<_> = failed.collect();
    assert!(failed.len() <= SENDERS * KILLS, "{} failed", failed.len());
    for attempt in failed {
        let was_in_flight =
            |kill: &Range<Instant>| attempt.begun < kill.end && attempt.ended > kill.start;
        assert!(kills.iter().any(was_in_flight), "it was not in flight");
    }

    // SIGTERM: nothing fails at all.
    assert_eq!(ingest.terminate(), 0);
    let waiting = queue(address, &path);
    let ingest = start(&pipeline, &socket);
    expect_answers(waiting);
    assert_eq!(ingest.terminate(), 0);
    let stored: BTreeSet<String> = (pipeline.topic.records().iter())
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect();
    let acknowledged = attempts.iter().filter_map(|attempt| attempt.id.as_ref());
    let missing = acknowledged.filter(|id| !stored.contains(*id));
    assert_eq!(missing.count(), 0);
}

/// Networks give an answer so long.
const PATIENCE: Duration = Duration::from_millis(400);

/// In memory where the machine has such a place: the spool of a busy disk would be late by itself.
fn memory() -> TempDir {
    let directory = tempfile::Builder::new().tempdir_in("/dev/shm");
    directory.or_else(|_| tempfile::tempdir()).unwrap()
}

/// How long an attempt took, without what the sender stood still, and without the time for which
/// there was no process at all.
fn took(attempt: &Planned, ledger: &Ledger, absent: &Range<Instant>) -> Duration {
    let begun = absent.start.max(ledger.start + attempt.planned);
    let ended = absent.end.min(ledger.start + attempt.ended);
    let waited = ended.saturating_duration_since(begun);
    attempt.without_own_stall().saturating_sub(waited)
}

/// All that makes an end long: Kafka stands still, a record is in the spool, one connection never
/// asks, and another does not end its request.
#[test]
fn while_an_end_takes_its_time_senders_get_their_answers() {
    let directory = memory();
    let (kafka, servers) = own_kafka(directory.path());
    let spool = format!("spool_dir = {:?}", directory.path().join("spool"));
    let pipeline = Setup::on("handover_slow_end", servers)
        .answering_in_time()
        .lines("ingest", &spool)
        .source("rakuten-us", COMPLETE)
        .prepare();
    pipeline.migrate();
    let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let path = format!("{}?u1=c-{{number}}", pipeline.sources[0].path());
    let ingest = start(&pipeline, &socket);
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    kafka.process().freeze().unwrap();
    let spooled = wait::until("a record is spooled", || attempt(address, &path).id);
    let _silent = TcpStream::connect(address).unwrap();
    let mut slow = TcpStream::connect(address).unwrap();
    slow.write_all(b"GET /postb").unwrap();
    wait::until_true("both are accepted", || {
        let page = get(pipeline.ingest_admin, "/metrics");
        page.is_some_and(|(_, text)| text.contains("\npostback_ingest_connections 2\n"))
    });

    ingest.signal(Signal::TERM);
    wait::until_true("it is going down", || {
        let readiness = pipeline.readiness(pipeline.ingest_admin);
        readiness.is_some_and(|(_, text)| text.contains("going down"))
    });
    let longest = Duration::from_secs(600);
    let plan = OpenLoop::new(address, Request::get(address, &path), 100, longest);
    let end = plan.stop.clone();
    let sending = std::thread::spawn(move || plan.run().unwrap());
    assert_eq!(ingest.exit_code(), 3);
    let gone = Instant::now();
    let ingest = start(&pipeline, &socket);
    wait::until_true("the successor is there", || {
        pipeline.readiness(pipeline.ingest_admin).is_some()
    });
    let absent = gone..Instant::now();
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    end.store(true, Relaxed);
    let ledger = sending.join().unwrap();
    kafka.process().thaw().unwrap();

    assert!(ledger.attempts.len() > 100, "{}", ledger.attempts.len());
    let late = ledger
        .attempts
        .iter()
        .filter(|attempt| !attempt.is_success() || took(attempt, &ledger, &absent) > PATIENCE);
    let late: Vec<_> = late.collect();
    assert!(
        late.is_empty(),
        "{} late, such as {:?}",
        late.len(),
        late[0]
    );
    let acknowledged = ledger.attempts.iter().filter_map(Planned::acknowledged);
    let acknowledged = acknowledged.map(|id| id.to_string());
    let mut missing: BTreeSet<String> = acknowledged.chain([spooled]).collect();
    wait::until_true("what was acknowledged is in Kafka", || {
        for record in pipeline.topic.records() {
            missing.remove(record["id"].as_str().unwrap());
        }
        missing.is_empty()
    });
    assert_eq!(ingest.terminate(), 0);
}

#[test]
fn a_socket_of_the_wrong_kind_is_refused() {
    let pipeline = Setup::new("handover_kind").prepare();
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("file")).unwrap();
    let datagrams = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
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

#[test]
fn the_log_names_the_address_that_was_handed_over_for_operators() {
    const HAND_OVER: &str = "exec 3<&0 0</dev/null; \
        export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=admin; exec \"$0\" \"$@\"";
    let (pipeline, socket) = prepared("handover_admin");
    let admin = socket.local_addr().unwrap();
    assert_ne!(admin, pipeline.ingest_admin);
    let ingest = pipeline.start_ingest_by(|name, arguments| {
        Launch::new("sh")
            .args(["-c", HAND_OVER])
            .args([binary(name)])
            .args(arguments)
            .stdin(OwnedFd::from(socket))
    });
    pipeline.wait_until_ready(admin, &ingest);
    let said = ingest.output();
    assert!(said.contains(&format!("\"admin\":\"{admin}\"")), "{said}");
    assert_eq!(ingest.terminate(), 0);
}
