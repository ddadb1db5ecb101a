//! Ingest with one source, and a stand-in for Kafka. How ingest is put together stands here alone.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::memmem::find;
use postback_common::config;
use postback_common::record::IdSource;
use postback_common::refusal::RefusalRecord;
use postback_ingest::accept::Acceptor;
use postback_ingest::breaker::Breaker;
use postback_ingest::confirmation::{Unconfirmed, Waiting};
use postback_ingest::kafka::{NotTaken, Producer};
use postback_ingest::limits::Limits;
use postback_ingest::listener::connection;
use postback_ingest::metrics::IngestMetrics;
use postback_ingest::refusals::{Noted, Refusals};
use postback_ingest::server::Server;
use postback_ingest::storage::Storage;
use postback_ingest::topic_watch::TopicMissing;
use postback_service::lifecycle::Shutdown;
use postback_service::metrics::Metrics;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::input::Kafka;
use super::sender::Sender;

/// The URL key of the only source.
pub const KEY: &str = "canary-7d1f0b6a2c9e4835";

/// The source's name, and its key's.
pub(super) const SOURCE: &str = "shop";
pub(super) const KEY_NAME: &str = "spring";

/// Where the sender is.
pub(super) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// Bounds so small that short inputs reach them.
pub(super) const QUERY_BYTES: usize = 256;
pub(super) const BODY_BYTES: usize = 64;

/// Headers that records keep.
pub(super) const RECORDED: [&str; 3] = ["user-agent", "referer", "x-forwarded-for"];

/// One ingest for each thread, which serves one connection after the other.
pub(super) struct Site {
    pub(super) runtime: Runtime,
    pub(super) kafka: Arc<StandIn>,
    server: Arc<Server>,
    traces: RefCell<mpsc::Receiver<Noted>>,
}

thread_local! {
    static SITE: io::Result<Site> = Site::new();
}

impl Site {
    /// Calls `work` with this thread's.
    pub(super) fn with<T>(work: impl FnOnce(&Self) -> T) -> T {
        SITE.with(|site| match site {
            Ok(site) => work(site),
            Err(error) => panic!("ingest cannot be put together: {error}"),
        })
    }

    fn new() -> io::Result<Self> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let kafka = Arc::new(StandIn::default());
        let (server, traces) = server(Arc::clone(&kafka))?;
        Ok(Self {
            runtime: runtime.enable_time().build()?,
            server,
            traces: RefCell::new(traces),
            kafka,
        })
    }

    /// Lets ingest answer a sender to the end of its connection.
    pub(super) async fn answer(&self, sender: Sender, stop: Shutdown) {
        connection::answer(sender, PEER, Arc::clone(&self.server), stop).await;
    }

    /// Nothing that counts what is under way may have forgotten that it ended.
    pub(super) fn check_idle(&self) {
        let metrics = self.server.metrics();
        assert_eq!(metrics.connections.get(), 0, "open connections");
        assert_eq!(metrics.in_flight.get(), 0, "requests under way");
    }

    /// The trace of a refusal, of which the rate limit lets a few through, can be read and shows no
    /// URL key, wherever the sender put it.
    pub(super) fn check_traces(&self) {
        while let Ok(Noted { record, pending }) = self.traces.borrow_mut().try_recv() {
            pending.published();
            if let Err(error) = RefusalRecord::decode(&record) {
                panic!("the trace of a refusal cannot be read: {error}");
            }
            let shown = find(&record, KEY.as_bytes());
            assert!(shown.is_none(), "the trace of a refusal shows the key");
        }
    }
}

fn server(kafka: Arc<StandIn>) -> io::Result<(Arc<Server>, mpsc::Receiver<Noted>)> {
    let text = format!(
        "[kafka]\nbrokers = \"127.0.0.1:1\"\n\
         [ingest]\nmax_query_bytes = {QUERY_BYTES}\nmax_body_bytes = {BODY_BYTES}\n\
         record_headers = {RECORDED:?}\n\
         [[source]]\nname = \"{SOURCE}\"\nnetwork = \"rakuten\"\n\
         [[source.key]]\nname = \"{KEY_NAME}\"\nkey = \"{KEY}\"\n"
    );
    let settings = config::read(Path::new("fuzz.toml"), &text, []).map_err(io::Error::other)?;
    let metrics = IngestMetrics::register(&mut Metrics::new());
    let ids = IdSource::new().map_err(io::Error::other)?;
    let breaker = Breaker::new(settings.ingest.kafka_wait, metrics.breaker.clone());
    // A spool would answer from a thread of its own, at a time of its own: it is tested elsewhere.
    let storage = Storage::new(kafka, TopicMissing::default(), Arc::new(breaker), None);
    let acceptor = Acceptor::new(storage, ids, &settings.ingest.record_headers);
    let ids = IdSource::new().map_err(io::Error::other)?;
    let (refusals, traces) = Refusals::new(ids, metrics.refusal_records.clone());
    let server = Server::new(&settings, acceptor, Limits::default(), refusals, metrics);
    Ok((Arc::new(server), traces))
}

/// Kafka as the input wants it: what it says it says at once.
#[derive(Debug, Default)]
pub(super) struct StandIn(Mutex<Talk>);

#[derive(Debug)]
struct Talk {
    kafka: Kafka,
    confirmed: Vec<Vec<u8>>,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            kafka: Kafka::Confirms,
            confirmed: Vec::new(),
        }
    }
}

impl StandIn {
    /// From now on Kafka says `kafka`.
    pub(super) fn behave(&self, kafka: Kafka) {
        self.talk().kafka = kafka;
    }

    /// What was confirmed since the last call.
    pub(super) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.talk().confirmed)
    }

    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Producer for StandIn {
    fn offer(&self, record: &[u8], waiting: Waiting) -> Result<(), NotTaken> {
        let mut talk = self.talk();
        match talk.kafka {
            Kafka::Confirms => {
                talk.confirmed.push(record.to_vec());
                waiting.tell(Ok(()));
            }
            Kafka::SaysNo => waiting.tell(Err(Unconfirmed::Failed("no".to_owned()))),
            Kafka::Refuses => waiting.tell(Err(Unconfirmed::Refused("never".to_owned()))),
            Kafka::QueueFull => return Err(NotTaken::QueueFull),
        }
        Ok(())
    }
}
