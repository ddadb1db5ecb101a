//! One broker, one ingest, and what can go wrong with them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use postback_load::{Ledger, OpenLoop, Request};
use postback_stack::{Cancellation, KafkaOptions, KafkaServer, Launch, Needs, install};
use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
use tempfile::TempDir;

use super::disk::Disk;
use super::{Fault, Length};
use crate::program::{self, Program};
use crate::{Pipeline, Servers, Setup, wait};

/// Connections that wait to be accepted; the kernel has a bound of its own.
const QUEUE: i32 = 4_096;

/// An empty segment is its header.
const HEADER_BYTES: u64 = 40;

/// The sender ends by itself after so long.
const LONGEST: Duration = Duration::from_secs(600);

/// The template of the sender's requests; its click id says which request it was.
const TEMPLATE: &str = "u1=<u1>&is_event=<is_event>&etransaction_id=<etransaction_id>";

/// Everything that a scene needs. What it started ends with it.
pub(super) struct Stage {
    pub(super) ingest: Option<Program>,
    pub(super) pipeline: Pipeline,
    pub(super) kafka: KafkaServer,
    pub(super) disk: Disk,
    /// Held by the stage as a supervisor holds it.
    socket: Option<TcpListener>,
    /// Where the broker's data are.
    _memory: TempDir,
    directory: TempDir,
}

impl Stage {
    /// Starts a broker and ingest, and waits until both are ready.
    pub(super) fn set(fault: Fault) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let installation = install(Needs::default(), &Cancellation::new(), &|_| {})
            .expect("the servers can be installed");
        let memory = memory();
        let options = KafkaOptions::new(memory.path().join("kafka"));
        let kafka =
            KafkaServer::start(&installation, options, &Cancellation::new()).expect("Kafka starts");
        let servers = Servers {
            brokers: kafka.brokers(),
            // Nothing here needs ClickHouse.
            clickhouse_url: "http://127.0.0.1:9".to_owned(),
            clickhouse_user: "default".to_owned(),
            clickhouse_password: String::new(),
        };
        let spool = directory.path().join("spool");
        let pipeline = Setup::on(fault.name(), servers)
            .answering_in_time()
            .source("rakuten-us", TEMPLATE)
            .lines("ingest", &format!("spool_dir = \"{}\"", spool.display()))
            .prepare();
        let mut stage = Self {
            ingest: None,
            disk: Disk::new(directory.path()),
            socket: fault
                .kills_ingest()
                .then(|| listening(pipeline.address).expect("a socket")),
            pipeline,
            kafka,
            _memory: memory,
            directory,
        };
        stage.make_topic();
        stage.start_ingest();
        let ingest = stage.ingest.as_ref().expect("it was started");
        let admin = stage.pipeline.ingest_admin;
        stage.pipeline.wait_until_ready(admin, ingest);
        stage
    }

    /// Makes the topic. There is no ClickHouse, which the command says with its exit code.
    pub(super) fn make_topic(&self) {
        let finished = self.pipeline.postback(&["migrate"]);
        assert!(self.pipeline.topic.exists(), "{}", finished.shown());
    }

    /// Starts ingest; it may not be ready yet.
    pub(super) fn start_ingest(&mut self) {
        self.ingest = Some(self.pipeline.start_ingest_by(|name, arguments| {
            let launch = match &self.socket {
                None => Launch::new(program::binary(name)).args(arguments),
                Some(socket) => {
                    let socket = socket.try_clone().expect("a descriptor");
                    program::with_socket(name, arguments, socket.into())
                }
            };
            launch.envs(self.disk.environment())
        }));
    }

    /// Kills ingest and waits until it is gone.
    pub(super) fn kill_ingest(&mut self) {
        if let Some(ingest) = self.ingest.take() {
            ingest.process().kill();
        }
    }

    /// Waits until the spool is empty and ingest says that it is ready.
    pub(super) fn wait_until_normal(&self) {
        wait::until_true("the spool is drained", || {
            self.spooled_bytes() == 0
                && self
                    .pipeline
                    .readiness(self.pipeline.ingest_admin)
                    .is_some_and(|(status, _)| status == 200)
        });
    }

    /// Bytes of records in the spool's segments.
    pub(super) fn spooled_bytes(&self) -> u64 {
        let segments = files(self.spool()).into_iter();
        let segments = segments.filter(|(path, _)| path.extension() == Some("segment".as_ref()));
        segments
            .map(|(_, bytes)| bytes.saturating_sub(HEADER_BYTES))
            .sum()
    }

    /// Files that the spool has set aside for a person.
    pub(super) fn set_aside(&self) -> usize {
        files(self.spool().join("set-aside")).len()
    }

    fn spool(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    /// Sends at the rate until it is told to stop, on a thread of its own.
    pub(super) fn begin_load(&self, length: &Length) -> Sender {
        let address = self.pipeline.address;
        let target = format!(
            "{}?u1=c-{{number}}&is_event=N&etransaction_id=fault",
            self.pipeline.sources[0].path()
        );
        let request = Request::get(address, &target);
        let plan = OpenLoop::new(address, request, length.rate, LONGEST);
        let stop = std::sync::Arc::clone(&plan.stop);
        let sending = std::thread::spawn(move || plan.run());
        Sender { stop, sending }
    }
}

/// A load that is being sent.
pub(super) struct Sender {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    sending: std::thread::JoinHandle<io::Result<Ledger>>,
}

impl Sender {
    /// Stops and waits for the last answers.
    pub(super) fn end(self) -> Ledger {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let ledger = self.sending.join().expect("the sender does not panic");
        ledger.expect("the sender can send")
    }
}

/// A time that has to pass: a fault has a length.
pub(super) fn last(time: Duration) {
    std::thread::sleep(time);
}

/// A directory in memory where the machine has such a place: a broker there is as quick as a healthy
/// one with a disk of its own. On the disk of a busy machine its own syncs would be a fault
/// that nobody asked for, and one that cannot be seen from here.
fn memory() -> TempDir {
    let directory = tempfile::Builder::new()
        .prefix("postback-faults-")
        .tempdir_in("/dev/shm");
    directory
        .or_else(|_| tempfile::tempdir())
        .expect("a directory")
}

fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    let socket: OwnedFd = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, QUEUE)?;
    Ok(socket.into())
}

/// All files below a directory, with their sizes; none where there is no directory. What vanishes
/// meanwhile is passed over.
fn files(directory: PathBuf) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    let mut left = vec![directory];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => left.push(entry.path()),
                Ok(found) => files.push((entry.path(), found.len())),
                Err(_) => {}
            }
        }
    }
    files
}
