//! Puts the parts together, and takes them apart at the end.

use std::io;
use std::sync::Arc;

use postback_common::config::{Fault, Settings};
use postback_common::record::{IdSource, IdSourceError};
use postback_service::admin::{self, Admin};
use postback_service::command_line::Options;
use postback_service::kafka::KafkaMetrics;
use postback_service::lifecycle::{ExitCode, Reloads, Shutdown, shutdown_on_signal};
use postback_service::listen::{BindError, take_or_bind};
use postback_service::metrics::Metrics;
use postback_service::probes::{Probe, Readiness};
use postback_service::supervisor::{self, HandoverError, Sockets};
use postback_service::version::VERSION;
use tracing::{info, warn};

use crate::accept::Acceptor;
use crate::kafka::{KafkaProducer, Producer};
use crate::limits::Limits;
use crate::listener::Door;
use crate::metrics::IngestMetrics;
use crate::server::Server;
use crate::tls::{self, Tls, TlsMetrics};
use crate::topic_watch::{self, TopicMissing, TopicSight};
use crate::{listener, reload};

/// Why ingest cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address to listen on cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// librdkafka refuses an option.
    #[error(
        "Kafka's client cannot be made: {0}\n    remedy: correct [kafka.options]; librdkafka's CONFIGURATION.md lists them"
    )]
    Kafka(String),
    /// A supervisor has handed over what cannot be used.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// The certificate has gone bad since the configuration was checked.
    #[error("{0}")]
    Certificate(Fault),
    /// No randomness for ids.
    #[error(transparent)]
    Ids(#[from] IdSourceError),
    /// The runtime or the signal handlers.
    #[error("the operating system refuses: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// The exit code that tells it.
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        match self {
            Self::Kafka(_) | Self::Handover(_) | Self::Certificate(_) => ExitCode::Usage,
            Self::Bind(_) | Self::Ids(_) | Self::System(_) => ExitCode::Failed,
        }
    }
}

/// Runs until a signal; says to stderr why it could not.
#[must_use]
pub fn to_the_end(options: &Options, settings: Settings) -> ExitCode {
    // Before there are threads.
    let sockets = Sockets::handed_over(&["ingest", "admin"]);
    options.run(
        ingest(options, Arc::new(settings), sockets),
        StartError::exit_code,
    )
}

async fn ingest(
    options: &Options,
    settings: Arc<Settings>,
    sockets: Result<Sockets, HandoverError>,
) -> Result<(), StartError> {
    // First of all: from here on senders queue up instead of being refused.
    let (mut sockets, ours) = (sockets?, &settings.ingest);
    let socket = take_or_bind(&mut sockets, "ingest", "ingest.listen", ours.listen).await?;
    let address = ours.admin_listen;
    let operators = take_or_bind(&mut sockets, "admin", "ingest.admin_listen", address).await?;
    let shutdown = shutdown_on_signal()?;
    let reloads = Reloads::listen()?;

    let mut metrics = Metrics::new();
    let readiness = Readiness::new();
    let counted = IngestMetrics::register(&mut metrics);
    let producer = KafkaProducer::new(&settings, &KafkaMetrics::register(&mut metrics), &counted);
    let producer = Arc::new(producer.map_err(StartError::Kafka)?);
    let missing = TopicMissing::default();
    let acceptor = Acceptor::new(
        Arc::clone(&producer) as Arc<dyn Producer>,
        missing.clone(),
        IdSource::new()?,
        &settings.ingest.record_headers,
    );
    // Before anyone can ask: without a probe the process would look ready.
    let (kafka, draining) = (readiness.probe("kafka"), readiness.fine("draining"));
    let limits = Limits::of(&settings.ingest).within_open_files();
    let tls = tls(&settings, &mut metrics, &shutdown)?;
    let server = Arc::new(Server::new(&settings, acceptor, limits, counted));

    let admin = Admin {
        readiness,
        metrics: Arc::new(metrics),
    };
    let admin_end = Shutdown::new();
    tokio::spawn(admin::serve(operators.listener, admin, admin_end.clone()));
    let judged = Arc::clone(&settings);
    tokio::spawn(topic_watch::watch(
        Arc::clone(&producer) as Arc<dyn TopicSight>,
        settings.kafka.topic.clone(),
        missing,
        kafka,
        move || drop(tokio::spawn(topic_watch::judge(Arc::clone(&judged)))),
        shutdown.clone(),
    ));
    tokio::spawn(reload::listen(
        reloads,
        options.config.clone(),
        Arc::clone(&settings),
        Arc::clone(&server),
        shutdown.clone(),
    ));
    let door = Door { socket, tls };
    announce(&settings, &door);
    supervisor::tell_ready();
    serve(door, server, draining, shutdown).await;
    flush(producer, limits).await;
    admin_end.cancel();
    info!("ended");
    Ok(())
}

/// TLS for the networks, if they are to have it, and the watch over its certificate.
fn tls(
    settings: &Settings,
    metrics: &mut Metrics,
    shutdown: &Shutdown,
) -> Result<Option<Arc<Tls>>, StartError> {
    let Some(settings) = &settings.ingest.tls else {
        return Ok(None);
    };
    let tls = Tls::load(settings, TlsMetrics::register(metrics));
    let tls = Arc::new(tls.map_err(|error| StartError::Certificate(error.fault(settings)))?);
    let watching = tls::watch(
        Arc::clone(&tls),
        tls::EVERY,
        Reloads::listen()?,
        shutdown.clone(),
    );
    tokio::spawn(watching);
    Ok(Some(tls))
}

fn announce(settings: &Settings, door: &Door) {
    let listen = door.socket.listener.local_addr().ok();
    let handed_over = door.socket.handed_over;
    let tls = door.tls.is_some();
    info!(version = VERSION, ?listen, handed_over, tls, admin = %settings.ingest.admin_listen, "listening");
    if !settings.sources.iter().any(|source| source.enabled) {
        warn!("no source is enabled: every request gets 404");
    }
}

/// Not ready as soon as the end has begun, so that a balancer looks elsewhere.
async fn serve(door: Door, server: Arc<Server>, draining: Probe, shutdown: Shutdown) {
    let begun = shutdown.clone();
    tokio::spawn(async move {
        begun.cancelled().await;
        supervisor::tell_stopping();
        draining.fail("the process is going down", "");
    });
    listener::serve(door, server, shutdown).await;
}

/// What Kafka has not confirmed by now was answered with 503; it may still get there.
async fn flush(producer: Arc<KafkaProducer>, limits: Limits) {
    let flushing = tokio::task::spawn_blocking(move || producer.flush(limits.flush_within));
    match flushing.await {
        Ok(0) => {}
        Ok(records) => warn!(
            records,
            "Kafka has not confirmed these records; their senders were told 503"
        ),
        Err(error) => warn!(%error, "the producer was not flushed"),
    }
}
