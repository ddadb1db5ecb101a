//! Ingest with a stand-in for Kafka, and a sender who writes bytes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postback_common::config::{self, Settings};
use postback_common::record::IdSource;
use postback_ingest::accept::Acceptor;
use postback_ingest::breaker::Breaker;
use postback_ingest::confirmation::{Unconfirmed, Waiting};
use postback_ingest::kafka::{NotTaken, Producer};
use postback_ingest::limits::Limits;
use postback_ingest::listener::{self, Door};
use postback_ingest::metrics::IngestMetrics;
use postback_ingest::refusals::{Noted, Refusals};
use postback_ingest::server::Server;
use postback_ingest::spool::{Drainer, Spooler};
use postback_ingest::storage::Storage;
use postback_ingest::tls::Tls;
use postback_ingest::topic_watch::TopicMissing;
use postback_service::lifecycle::Shutdown;
use postback_service::listen::Listening;
use postback_service::metrics::Metrics;
use postback_spool::disk::Disk;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// No condition of these tests takes nearly so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The URL key of source `shop`, and the path that it makes.
pub(crate) const KEY: &str = "canary-7d1f0b6a2c9e4835";
pub(crate) const PATH: &str = "/postback/canary-7d1f0b6a2c9e4835";

/// What the stand-in for Kafka does with each record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kafka {
    Confirms,
    ConfirmsAfter(Duration),
    Silent,
    SaysNo,
    /// Kafka will never take such a record.
    RefusesIt,
    QueueFull,
    /// Kafka takes batches, and refuses one as a whole when it holds this text.
    RefusesBatchesWith(&'static str),
}

#[derive(Debug)]
pub(crate) struct FakeProducer {
    kafka: Mutex<Kafka>,
    records: Mutex<Vec<Vec<u8>>>,
    silent: Mutex<Vec<Waiting>>,
    batch: Arc<Mutex<Batch>>,
}

/// Records under way together.
type Batch = Vec<(Vec<u8>, Waiting)>;

impl FakeProducer {
    pub(crate) fn records(&self) -> Vec<Value> {
        let records = self.records.lock().unwrap();
        let parse = |record: &Vec<u8>| serde_json::from_slice(record).unwrap();
        records.iter().map(parse).collect()
    }

    /// From now on it does this.
    pub(crate) fn turn(&self, kafka: Kafka) {
        *self.kafka.lock().unwrap() = kafka;
    }

    /// Says of everything it kept silent about that it is there.
    pub(crate) fn confirm_all(&self) {
        let silent = std::mem::take(&mut *self.silent.lock().unwrap());
        silent.into_iter().for_each(|waiting| waiting.tell(Ok(())));
    }

    /// As a broker and `linger.ms` do it.
    fn batch(&self, refused: &'static str, record: &[u8], waiting: Waiting) {
        let mut batch = self.batch.lock().unwrap();
        batch.push((record.to_vec(), waiting));
        if batch.len() > 1 {
            return;
        }
        let batch = Arc::clone(&self.batch);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            let batch = std::mem::take(&mut *batch.lock().unwrap());
            let holds =
                |(record, _): &(Vec<u8>, _)| String::from_utf8_lossy(record).contains(refused);
            let refuses = batch.iter().any(holds);
            for (_, waiting) in batch {
                let never = Err(Unconfirmed::Refused("never".to_owned()));
                waiting.tell(if refuses { never } else { Ok(()) });
            }
        });
    }

    /// The records since the last call.
    pub(crate) fn take(&self) -> Vec<Value> {
        let records = self.records();
        self.records.lock().unwrap().clear();
        records
    }
}

impl Producer for FakeProducer {
    fn offer(&self, record: &[u8], waiting: Waiting) -> Result<(), NotTaken> {
        // Held to the end: after a turn nothing is taken the old way any more.
        let kafka = self.kafka.lock().unwrap();
        if let Kafka::QueueFull = *kafka {
            return Err(NotTaken::QueueFull);
        }
        self.records.lock().unwrap().push(record.to_vec());
        match *kafka {
            Kafka::Confirms => waiting.tell(Ok(())),
            Kafka::SaysNo => waiting.tell(Err(Unconfirmed::Failed("no".to_owned()))),
            Kafka::RefusesIt => waiting.tell(Err(Unconfirmed::Refused("never".to_owned()))),
            Kafka::Silent | Kafka::QueueFull => self.silent.lock().unwrap().push(waiting),
            Kafka::RefusesBatchesWith(text) => self.batch(text, record, waiting),
            Kafka::ConfirmsAfter(time) => drop(tokio::spawn(async move {
                sleep(time).await;
                waiting.tell(Ok(()));
            })),
        }
        Ok(())
    }
}

/// A configuration whose source `shop` has the key [`KEY`]; `ingest` and `source` are added lines.
pub(crate) fn settings(ingest: &str, source: &str) -> Settings {
    let text = format!(
        "[kafka]\nbrokers = \"127.0.0.1:1\"\n[ingest]\n{ingest}\n\
         [[source]]\nname = \"shop\"\nnetwork = \"rakuten\"\n{source}\n\
         [[source.key]]\nname = \"spring\"\nkey = \"{KEY}\"\n\
         [[source]]\nname = \"closed\"\nnetwork = \"rakuten\"\nenabled = false\n\
         [[source.key]]\nkey = \"disabled-disabled-disabled\"\n"
    );
    config::read(Path::new("test.toml"), &text, []).unwrap()
}

/// Ingest, listening.
pub(crate) struct Ingest {
    pub(crate) address: SocketAddr,
    pub(crate) server: Arc<Server>,
    pub(crate) kafka: Arc<FakeProducer>,
    pub(crate) missing: TopicMissing,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) spooler: Option<Arc<Spooler>>,
    pub(crate) drainer: Option<Drainer>,
    pub(crate) noted: mpsc::Receiver<Noted>,
    pub(crate) shutdown: Shutdown,
    pub(crate) serving: JoinHandle<()>,
    /// At the end, ingest takes connections until this says yes.
    pub(crate) settled: watch::Sender<bool>,
    metrics: Metrics,
}

impl Ingest {
    pub(crate) async fn start(kafka: Kafka) -> Self {
        Self::with(kafka, &settings("", ""), Limits::default()).await
    }

    pub(crate) async fn with(kafka: Kafka, settings: &Settings, limits: Limits) -> Self {
        Self::on(None, kafka, settings, limits).await
    }

    /// With a spool on `disk`, if there is one. The settings must have one then.
    pub(crate) async fn on(
        disk: Option<Arc<dyn Disk>>,
        kafka: Kafka,
        settings: &Settings,
        limits: Limits,
    ) -> Self {
        Self::behind(|_| None, disk, kafka, settings, limits).await
    }

    /// With TLS, if `tls` makes any.
    pub(crate) async fn behind(
        tls: impl FnOnce(&mut Metrics) -> Option<Arc<Tls>>,
        disk: Option<Arc<dyn Disk>>,
        kafka: Kafka,
        settings: &Settings,
        limits: Limits,
    ) -> Self {
        let kafka = Arc::new(FakeProducer {
            kafka: Mutex::new(kafka),
            records: Mutex::default(),
            silent: Mutex::default(),
            batch: Arc::default(),
        });
        let mut metrics = Metrics::new();
        let counted = IngestMetrics::register(&mut metrics);
        let tls = tls(&mut metrics);
        let missing = TopicMissing::default();
        let breaker = Breaker::new(settings.ingest.kafka_wait, counted.breaker.clone());
        let breaker = Arc::new(breaker);
        let producer = || Arc::clone(&kafka) as Arc<dyn Producer>;
        let spooler = disk.map(|disk| {
            let spool = settings.ingest.spool.as_ref().unwrap();
            Arc::new(Spooler::new(spool, &settings.ingest, disk))
        });
        let drainer = spooler.clone().map(|spooler| {
            let (missing, breaker) = (missing.clone(), Arc::clone(&breaker));
            Drainer::start(spooler, producer(), missing, breaker, &counted).unwrap()
        });
        let acceptor = Acceptor::new(
            Storage::new(
                producer(),
                missing.clone(),
                Arc::clone(&breaker),
                spooler.clone(),
            ),
            IdSource::new().unwrap(),
            &settings.ingest.record_headers,
        );
        let records = counted.refusal_records.clone();
        let (refusals, noted) = Refusals::new(IdSource::new().unwrap(), records);
        let server = Server::new(settings, acceptor, limits, refusals, counted);
        let server = Arc::new(server);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let socket = Listening {
            listener,
            handed_over: false,
        };
        let door = Door { socket, tls };
        let (settled, mut settling) = watch::channel(true);
        let settling = async move { drop(settling.wait_for(|settled| *settled).await) };
        let serving = listener::serve(door, Arc::clone(&server), shutdown.clone(), settling);
        Self {
            address,
            server,
            kafka,
            missing,
            breaker,
            spooler,
            drainer,
            noted,
            shutdown,
            serving: tokio::spawn(serving),
            settled,
            metrics,
        }
    }

    pub(crate) async fn connect(&self) -> Sender {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Sender { stream }
    }

    /// One request on a connection of its own; the answer without its `date`.
    pub(crate) async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut sender = self.connect().await;
        sender.send(request).await;
        sender.stream.shutdown().await.unwrap();
        sender.rest().await
    }

    pub(crate) fn metrics(&self) -> String {
        self.metrics.encode().unwrap()
    }

    /// The value of the metric whose line begins with `name`, labels included.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let metrics = self.metrics();
        let mut values = metrics.lines().filter_map(|line| line.strip_prefix(name));
        values
            .next()
            .map_or(0.0, |value| value.trim().parse().unwrap())
    }

    pub(crate) fn refusals(&self, reason: &str) -> f64 {
        let name = format!("postback_ingest_refusals_total{{reason=\"{reason}\"}}");
        self.metric(&name)
    }
}

/// A connection to ingest.
pub(crate) struct Sender {
    pub(crate) stream: TcpStream,
}

impl Sender {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything until the other side closes, without `date` lines.
    pub(crate) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = self.stream.read_to_end(&mut bytes);
        timeout(LIMIT, read).await.expect("closed in time").unwrap();
        undated(&bytes)
    }

    /// One answer whose body is `body`, leaving the connection open.
    pub(crate) async fn answer_ending(&mut self, body: &str) -> String {
        let mut bytes = Vec::new();
        let end = format!("\r\n\r\n{body}");
        let reading = async {
            while !bytes.ends_with(end.as_bytes()) {
                bytes.push(self.stream.read_u8().await.unwrap());
            }
        };
        let read = timeout(LIMIT, reading).await;
        let answer = undated(&bytes);
        read.unwrap_or_else(|_| panic!("{answer} does not end with {body:?}"));
        answer
    }
}

pub(crate) fn undated(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.starts_with("date: ")).collect()
}

/// Without the header that differs each time.
pub(crate) fn without_id(answer: &str) -> String {
    let lines = answer.split_inclusive('\n');
    lines
        .filter(|line| !line.starts_with("x-postback-id: "))
        .collect()
}

/// `GET target` with `Connection: close`.
pub(crate) fn get(target: &str) -> String {
    request("GET", target, "", "")
}

pub(crate) fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nHost: pb.example\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

/// Waits until `holds`.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "waited in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
