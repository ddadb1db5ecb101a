//! Servers of its own, consumers, a sender and a reader.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postback_stack::clickhouse::USER;
use postback_stack::{
    Cancellation, ClickHouseOptions, ClickHouseServer, Installation, KafkaOptions, KafkaServer,
    Needs, install, port, start_cluster,
};
use tempfile::TempDir;

use super::books::{Books, REFUSED_ORDERS};
use super::sender::{Sender, send_now};
use super::watcher::Watcher;
use crate::program::Program;
use crate::{Pipeline, Servers, Setup, wait};

/// Every field that the books fill in.
const TEMPLATE: &str = "is_event=<is_event>&etransaction_id=<etransaction_id>&order_id=<order_id>&sale_amount=<sale_amount>&commissions=<commissions>&currency=<currency>&transaction_date=<transaction_date>&process_date=<process_date>";

/// The topic's partitions.
pub(super) const PARTITIONS: u32 = 12;

/// Rows of a batch: few, so that there are many batches to be interrupted.
pub(super) const BATCH_ROWS: u64 = 500;

/// After so long the group gives up a member that says nothing; the least that brokers allow.
pub(super) const SESSION: Duration = Duration::from_secs(6);

/// Nothing that is still to come takes so long.
const STANDSTILL: Duration = Duration::from_secs(40);

/// What is played on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// Three brokers, each record in three copies of which two must be written.
    pub(super) is_cluster: bool,
    /// Messages a second.
    pub(super) rate: u32,
    /// How long a batch that is not full waits for more.
    pub(super) batch_wait: Duration,
    pub(super) seed: u64,
}

/// Everything that a scene needs. What it started ends with it.
pub(super) struct Stage {
    pub(super) members: Vec<Member>,
    pub(super) pipeline: Pipeline,
    pub(super) books: Arc<Books>,
    pub(super) brokers: Vec<KafkaServer>,
    pub(super) clickhouse: ClickHouseServer,
    /// What may have brought copies about: each death, departure, arrival and pause.
    pub(super) disturbances: u64,
    /// Places of the crashes and the like, for who reads the report.
    pub(super) notes: Vec<String>,
    _directory: TempDir,
}

/// A consumer.
pub(super) struct Member {
    program: Option<Program>,
    admin: SocketAddr,
    /// Stays a member of the group while it is away.
    is_static: bool,
    number: usize,
}

/// What goes on while a scene is played.
pub(super) struct Traffic {
    sender: Sender,
    watcher: Watcher,
}

impl Stage {
    /// Starts the servers and makes the tables; no consumer runs yet.
    pub(super) fn set(setting: Setting) -> Self {
        let directory = memory();
        let cancellation = Cancellation::new();
        let installation = install(Needs::default(), &cancellation, &|_| {})
            .expect("the servers can be installed");
        let brokers = brokers(setting, &installation, directory.path());
        let options = ClickHouseOptions::new(directory.path().join("clickhouse"));
        let clickhouse = ClickHouseServer::start(&installation, options, &cancellation)
            .expect("ClickHouse starts");
        let servers = Servers {
            brokers: addresses(&brokers),
            clickhouse_url: clickhouse.url(),
            clickhouse_user: USER.to_owned(),
            clickhouse_password: clickhouse.password().reveal().to_owned(),
        };
        let copies = if setting.is_cluster { 3 } else { 1 };
        let pipeline = Setup::on(setting.name, servers)
            .source("rakuten-us", TEMPLATE)
            .partitions(PARTITIONS)
            .collecting_for(setting.batch_wait)
            .lines("kafka", &format!("replication_factor = {copies}"))
            .lines("consumer", &format!("batch_max_rows = {BATCH_ROWS}"))
            .prepare();
        pipeline.migrate();
        pipeline.database.run(&format!(
            "ALTER TABLE {{db}}.conversions_g1 ADD CONSTRAINT odd CHECK order_id NOT LIKE '%{REFUSED_ORDERS}'"
        ));
        Self {
            members: Vec::new(),
            books: Arc::new(Books::open(PARTITIONS, setting.seed)),
            pipeline,
            brokers,
            clickhouse,
            disturbances: 0,
            notes: Vec::new(),
            _directory: directory,
        }
    }

    /// Another consumer, which is not started yet.
    pub(super) fn add_member(&mut self, is_static: bool) -> usize {
        let [admin] = port::free().expect("a free port");
        let number = self.members.len();
        self.members.push(Member {
            program: None,
            admin: SocketAddr::from(([127, 0, 0, 1], admin)),
            is_static,
            number,
        });
        number
    }

    /// Begins to send and to watch.
    pub(super) fn begin(&self, setting: Setting) -> Traffic {
        let books = Arc::clone(&self.books);
        let topic = self.pipeline.topic.name();
        Traffic {
            sender: Sender::begin(&self.addresses(), topic, books, setting.rate),
            watcher: self.watch(),
        }
    }

    /// Begins to watch.
    pub(super) fn watch(&self) -> Watcher {
        Watcher::begin(self.pipeline.reader(), Arc::clone(&self.books))
    }

    /// Sends so many messages, and waits until Kafka has them.
    pub(super) fn send(&self, many: u32) {
        let topic = self.pipeline.topic.name();
        send_now(&self.addresses(), topic, &self.books, many);
    }

    /// No batch has a refused row from now on.
    pub(super) fn spare_refused(&self) {
        self.books.spare_refused();
    }

    fn addresses(&self) -> String {
        addresses(&self.brokers)
    }

    /// Starts a consumer.
    pub(super) fn start(&mut self, member: usize) {
        self.start_to_crash(member, None);
    }

    /// Starts a consumer that dies at a place of its code; see `consumer/src/crash.rs`.
    pub(super) fn start_to_crash(&mut self, member: usize, place: Option<String>) {
        let member = &mut self.members[member];
        let mut variables = vec![("POSTBACK__CONSUMER__ADMIN_LISTEN", member.admin.to_string())];
        if member.is_static {
            let id = format!("member-{}", member.number);
            variables.push(("POSTBACK__CONSUMER__INSTANCE_ID", id));
        }
        if let Some(place) = place {
            variables.push(("POSTBACK_CRASH_AT", place));
        }
        member.program = Some(self.pipeline.start_consumer_with(&variables));
    }

    pub(super) fn program(&self, member: usize) -> Option<&Program> {
        self.members[member].program.as_ref()
    }

    /// Kills a consumer.
    pub(super) fn kill(&mut self, member: usize) {
        if let Some(program) = self.members[member].program.take() {
            program.process().kill();
            self.disturbances += 1;
        }
    }

    /// Asks a consumer to end.
    pub(super) fn terminate(&mut self, member: usize) {
        if let Some(program) = self.members[member].program.take() {
            assert_eq!(program.terminate(), 0, "it ends in order");
            self.disturbances += 1;
        }
    }

    /// Waits until a consumer has died at its place.
    pub(super) fn wait_for_crash(&mut self, member: usize) {
        let program = self.members[member].program.take().expect("it was started");
        let status = program.process().wait_for(wait::LIMIT);
        let status = status.expect("it comes to its place in time");
        // An orderly end, or an error, has a code.
        assert_eq!(status.code(), None, "{status}: {}", program.output());
        self.disturbances += 1;
    }

    pub(super) fn wait_until_ready(&self, member: usize) {
        let member = &self.members[member];
        let program = member.program.as_ref().expect("it runs");
        self.pipeline.wait_until_ready(member.admin, program);
    }

    /// Kills ClickHouse and starts it again.
    pub(super) fn restart_clickhouse(&mut self) {
        let restarted = self.clickhouse.restart(&Cancellation::new());
        restarted.expect("ClickHouse starts again");
        self.disturbances += 1;
    }

    /// Kills a broker and starts it again.
    pub(super) fn restart_broker(&mut self, broker: usize) {
        let restarted = self.brokers[broker].restart(&Cancellation::new());
        restarted.expect("Kafka starts again");
        self.disturbances += 1;
    }

    /// Records that a member says are not committed yet, of all partitions; `None` before it knows.
    pub(super) fn lag(&self, member: usize) -> Option<u64> {
        let (_, metrics) = crate::pipeline::get(self.members[member].admin, "/metrics")?;
        let lags = metrics
            .lines()
            .filter(|line| line.starts_with("postback_consumer_lag_records{"))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        let lags: Vec<u64> = lags.collect();
        (lags.len() == PARTITIONS as usize).then(|| lags.iter().sum())
    }

    /// Postbacks that the view shows.
    pub(super) fn shown(&self) -> u64 {
        let count = "SELECT count() FROM {db}.postbacks";
        self.pipeline.database.count(count)
    }

    /// Waits until the view shows so many postbacks, or nothing more has come for a long time: what is
    /// missing then is told by who looks.
    pub(super) fn wait_until_settled(&self, postbacks: u64) {
        let (mut shown, mut since) = (0, Instant::now());
        while shown < postbacks && since.elapsed() < STANDSTILL {
            let now = self.shown();
            if now > shown {
                (shown, since) = (now, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How long it takes until the view shows more than now.
    pub(super) fn time_until_more(&self) -> Duration {
        let (begin, before) = (Instant::now(), self.shown());
        wait::until_true("more is loaded", || self.shown() > before);
        begin.elapsed()
    }
}

impl Traffic {
    /// Ends sending: everything is in Kafka afterwards. The reader goes on.
    pub(super) fn end_sending(self) -> Watcher {
        self.sender.end();
        self.watcher
    }
}

/// What clients connect to.
fn addresses(brokers: &[KafkaServer]) -> String {
    let addresses: Vec<String> = brokers.iter().map(KafkaServer::brokers).collect();
    addresses.join(",")
}

fn brokers(setting: Setting, installation: &Installation, directory: &Path) -> Vec<KafkaServer> {
    let cancellation = Cancellation::new();
    if setting.is_cluster {
        let cluster = start_cluster(installation, directory, &cancellation);
        return cluster.expect("Kafka starts").into();
    }
    let options = KafkaOptions::new(directory.join("kafka"));
    let alone = KafkaServer::start(installation, options, &cancellation);
    vec![alone.expect("Kafka starts")]
}

/// In memory where the machine has such a place: here processes are killed, not machines.
fn memory() -> TempDir {
    let directory = tempfile::Builder::new()
        .prefix("postback-counts-")
        .tempdir_in("/dev/shm");
    directory
        .or_else(|_| tempfile::tempdir())
        .expect("a directory")
}
