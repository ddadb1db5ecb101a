//! Puts the parts together, and takes them apart at the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use postback_common::config::{Fault, Settings};
use postback_common::record::{IdSource, IdSourceError};
use postback_service::admin::{self, Admin};
use postback_service::command_line::Options;
use postback_service::lifecycle::{ExitCode, Reloads, Shutdown, shutdown_on_signal};
use postback_service::listen::{BindError, take_or_bind};
use postback_service::metrics::Metrics;
use postback_service::probes::{Probe, Readiness};
use postback_service::supervisor::{self, HandoverError, Sockets};
use postback_service::version::VERSION;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::accept::Acceptor;
use crate::limits::Limits;
use crate::listener::Door;
use crate::metrics::IngestMetrics;
use crate::places::{Places, Settled};
use crate::refusals::{self, Refusals};
use crate::server::Server;
use crate::tls::{self, Tls, TlsMetrics};
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
) -> Result<ExitCode, StartError> {
    // First of all: from here on senders queue up instead of being refused.
    let (mut sockets, ours) = (sockets?, &settings.ingest);
    let socket = take_or_bind(&mut sockets, "ingest", "ingest.listen", ours.listen).await?;
    let address = ours.admin_listen;
    let operators = take_or_bind(&mut sockets, "admin", "ingest.admin_listen", address).await?;
    let admin_address = operators.address(address);
    let shutdown = shutdown_on_signal()?;
    let reloads = Reloads::listen()?;

    let mut metrics = Metrics::new();
    let counted = IngestMetrics::register(&mut metrics);
    let readiness = Readiness::new();
    metrics.collect(readiness.clone());
    // Before anyone can ask: without a probe the process would look ready.
    let probe = readiness.one_of("storage", "kafka");
    let places = Places::new(&settings, &mut metrics, &counted, probe)?;
    // What watches and shows goes on to the very end, past the shutdown.
    let end = Shutdown::new();
    let spool = places.start_spool(&readiness, &mut metrics, &counted, &end)?;
    let draining = readiness.fine("draining");
    let limits = Limits::of(&settings.ingest).within_open_files();
    let acceptor = Acceptor::new(
        places.storage(),
        IdSource::new()?,
        &settings.ingest.record_headers,
    );
    let tls = tls(&settings, &mut metrics, &shutdown)?;
    let (refusals, noted) = Refusals::new(IdSource::new()?, counted.refusal_records.clone());
    let publishing = refusals::publish(noted, settings.kafka.clone());
    let publishing = tokio::spawn(publishing);
    let server = Server::new(&settings, acceptor, limits, refusals, counted);
    let server = Arc::new(server);

    let admin = Admin {
        readiness,
        metrics: Arc::new(metrics),
    };
    tokio::spawn(admin::serve(operators.listener, admin, end.clone()));
    places.watch_topic(&settings, &end);
    tokio::spawn(reload::listen(
        reloads,
        options.config.clone(),
        Arc::clone(&settings),
        Arc::clone(&server),
        shutdown.clone(),
    ));
    let door = Door { socket, tls };
    announce(&settings, &door, admin_address);
    supervisor::tell_ready();
    let handed_over = door.socket.handed_over;
    let mut settled = Settled::default();
    let settling = async { settled = places.settle(spool.as_ref(), limits.flush_within).await };
    serve(door, server, draining, shutdown, settling).await;
    let refusals_within = if handed_over {
        settled.flush_within()
    } else {
        refusals::FLUSH_WITHIN
    };
    // A connection that does not close may still hold it up; nothing is promised of it.
    let publishing = timeout(refusals_within, publishing);
    let (code, published) = tokio::join!(places.empty(spool, settled), publishing);
    if published.is_err() {
        debug!("records of refusals are dropped");
    }
    end.cancel();
    info!("ended");
    Ok(code)
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

fn announce(settings: &Settings, door: &Door, admin: SocketAddr) {
    let listen = door.socket.address(settings.ingest.listen);
    let handed_over = door.socket.handed_over;
    let tls = door.tls.is_some();
    info!(version = VERSION, %listen, handed_over, tls, %admin, "listening");
    if !settings.sources.iter().any(|source| source.enabled) {
        warn!("no source is enabled: every request gets 404");
    }
}

/// Not ready as soon as the end has begun, so that a balancer looks elsewhere.
async fn serve(
    door: Door,
    server: Arc<Server>,
    draining: Probe,
    shutdown: Shutdown,
    settling: impl Future<Output = ()>,
) {
    let begun = shutdown.clone();
    tokio::spawn(async move {
        begun.cancelled().await;
        draining.fail("the process is going down", "");
    });
    listener::serve(door, server, shutdown, settling).await;
}
