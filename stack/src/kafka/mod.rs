//! Kafka brokers that are their own controllers: one, or a few as a cluster.

mod cluster;
mod config;
mod probe;
mod secured;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use cluster::start_cluster;
pub use secured::Secured;

use crate::{Cancellation, Installation, Launch, StackError, Supervised, port, random, serving};

/// How long a broker may take to stop in order.
const GRACE: Duration = Duration::from_secs(30);

/// How often other ports are tried when another program takes the chosen ones first.
const PORT_TRIES: usize = 5;

/// How to start a broker.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// Its directory, made if needed: settings, log and data. Kept when the broker ends.
    pub data_dir: PathBuf,
    /// The port on 127.0.0.1 for clients; `None` chooses a free one.
    pub port: Option<u16>,
    /// The most memory for Java's heap, in MiB.
    pub heap_mib: u32,
    /// More lines for `server.properties`: names and values, which win over our own.
    pub settings: Vec<(String, String)>,
    /// A second listener, by TLS and SASL.
    pub secured: Option<Secured>,
    /// More arguments for the broker's Java.
    java_arguments: Vec<String>,
    /// Its place in a cluster; `None` for a broker alone.
    place: Option<Place>,
}

/// A broker's place in its cluster.
#[derive(Clone, Debug)]
struct Place {
    /// Its number, from 1.
    node: usize,
    /// The controllers' ports of all brokers, in the order of their numbers.
    controllers: Vec<u16>,
    cluster_id: String,
}

impl KafkaOptions {
    /// In this directory, on a free port.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            port: None,
            heap_mib: 512,
            settings: Vec::new(),
            secured: None,
            java_arguments: Vec::new(),
            place: None,
        }
    }
}

/// A broker; killed when dropped.
#[derive(Debug)]
pub struct KafkaServer {
    installation: Installation,
    options: KafkaOptions,
    cluster_id: String,
    ports: Ports,
    process: Supervised,
}

/// The ports of a broker that is its own controller.
#[derive(Clone, Copy, Debug)]
struct Ports {
    clients: u16,
    controller: u16,
    /// Of the second listener, where there is one.
    secured: Option<u16>,
}

impl KafkaServer {
    /// Starts a broker and waits until clients can use it: three to four seconds.
    ///
    /// A directory that was used before keeps its topics.
    ///
    /// # Errors
    /// When it ends, does not serve within two minutes, its port is taken, or when cancelled.
    pub fn start(
        installation: &Installation,
        options: KafkaOptions,
        cancellation: &Cancellation,
    ) -> Result<Self, StackError> {
        let directory = &options.data_dir;
        std::fs::create_dir_all(directory).map_err(StackError::io("create", directory))?;
        let mut tries = 1;
        loop {
            let ports = choose_ports(&options)?;
            match launch(installation, &options, ports, cancellation) {
                Err(StackError::Ended { .. }) if lost_a_port(ports) && tries < PORT_TRIES => {
                    tries += 1;
                }
                Err(error) => return Err(error),
                Ok((process, cluster_id)) => {
                    let installation = installation.clone();
                    return Ok(Self {
                        installation,
                        options,
                        cluster_id,
                        ports,
                        process,
                    });
                }
            }
        }
    }

    /// What clients connect to: `127.0.0.1:PORT`.
    #[must_use]
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.ports.clients)
    }

    /// What clients of the second listener connect to: `127.0.0.1:PORT`; `None` without
    /// [`KafkaOptions::secured`].
    #[must_use]
    pub fn secured_brokers(&self) -> Option<String> {
        Some(format!("127.0.0.1:{}", self.ports.secured?))
    }

    /// The port on 127.0.0.1 for clients.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.clients
    }

    /// The identity that the cluster was given when its directory was made.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The broker's log; every start appends to it.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        log(&self.options.data_dir)
    }

    /// The process: to freeze, thaw or watch it.
    #[must_use]
    pub fn process(&self) -> &Supervised {
        &self.process
    }

    /// Stops it in order; blocks until it has ended, half a minute at most.
    pub fn stop(&self) {
        self.process.stop(GRACE);
    }

    /// Kills it (SIGKILL); blocks until it has ended.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again on its directory and ports, after killing it if it still runs.
    ///
    /// # Errors
    /// As [`start`](Self::start); the broker is down then.
    pub fn restart(&mut self, cancellation: &Cancellation) -> Result<(), StackError> {
        self.process.kill();
        let (process, _) = launch(&self.installation, &self.options, self.ports, cancellation)?;
        self.process = process;
        Ok(())
    }
}

fn log(directory: &Path) -> PathBuf {
    directory.join("kafka.log")
}

fn choose_ports(options: &KafkaOptions) -> Result<Ports, StackError> {
    let [free, controller, secured] = port::free()?;
    let clients = match options.port {
        None => free,
        Some(clients) if port::is_free(clients) => clients,
        Some(port) => {
            return Err(StackError::PortTaken {
                port,
                purpose: "Kafka",
            });
        }
    };
    Ok(Ports {
        clients,
        controller,
        secured: options.secured.is_some().then_some(secured),
    })
}

/// Whether a broker that ended may have done so because another program took a port first.
fn lost_a_port(ports: Ports) -> bool {
    [ports.clients, ports.controller]
        .into_iter()
        .chain(ports.secured)
        .any(|port| !port::is_free(port))
}

/// Writes the settings, formats a new directory, starts the broker and waits until it serves.
fn launch(
    installation: &Installation,
    options: &KafkaOptions,
    ports: Ports,
    cancellation: &Cancellation,
) -> Result<(Supervised, String), StackError> {
    let directory = &options.data_dir;
    config::write(options, ports)?;
    let cluster_id = match config::cluster_id(directory)? {
        Some(cluster_id) => cluster_id,
        None => format(installation, options, cancellation)?,
    };
    let process = spawn(installation, options)?;
    wait_until_serving(options, ports, &cluster_id, &process, cancellation)?;
    Ok((process, cluster_id))
}

fn spawn(installation: &Installation, options: &KafkaOptions) -> Result<Supervised, StackError> {
    java(installation, options)
        .args(&options.java_arguments)
        .args(["kafka.Kafka", config::PROPERTIES])
        .log(log(&options.data_dir))
        .spawn()
}

fn wait_until_serving(
    options: &KafkaOptions,
    ports: Ports,
    cluster_id: &str,
    process: &Supervised,
    cancellation: &Cancellation,
) -> Result<(), StackError> {
    let log = log(&options.data_dir);
    serving::wait("Kafka", process, &log, cancellation, || {
        probe::check(ports.clients, cluster_id)
    })
}

/// Prepares a new data directory for its cluster, or for one with a new identity.
fn format(
    installation: &Installation,
    options: &KafkaOptions,
    cancellation: &Cancellation,
) -> Result<String, StackError> {
    let cluster_id = match &options.place {
        Some(place) => place.cluster_id.clone(),
        None => random::cluster_id()?,
    };
    let log = log(&options.data_dir);
    let tool = [
        "kafka.tools.StorageTool",
        "format",
        "--config",
        config::PROPERTIES,
    ];
    let process = java(installation, options)
        .args(tool)
        .args(["--cluster-id", &cluster_id])
        .args(options.secured.iter().flat_map(Secured::format_arguments))
        .log(&log)
        .spawn()?;
    let status = process.wait(cancellation, GRACE)?;
    if !status.success() {
        let what = "formatting Kafka's data directory".to_owned();
        return Err(StackError::CommandFailed { what, status, log });
    }
    Ok(cluster_id)
}

/// Runs a broker once and keeps what its Java had to find out about Kafka's classes: with it the
/// next ones start in half the time.
pub(crate) fn record_classes(
    installation: &Installation,
    directory: &Path,
    archive: &Path,
    cancellation: &Cancellation,
) -> Result<(), StackError> {
    let mut options = KafkaOptions::new(directory);
    let archive = archive.display();
    options.java_arguments = vec![format!("-XX:ArchiveClassesAtExit={archive}")];
    // Java writes the file when it ends in order.
    KafkaServer::start(installation, options, cancellation)?.stop();
    Ok(())
}

/// Java with Kafka's jars, in the broker's directory: all paths in its settings are relative to it.
fn java(installation: &Installation, options: &KafkaOptions) -> Launch {
    let jars = installation.kafka_libraries.join("*");
    // Java passes over an archive that does not fit it.
    let classes = installation.kafka_classes.as_ref();
    let classes = classes.map(|archive| format!("-XX:SharedArchiveFile={}", archive.display()));
    Launch::new(&installation.java)
        .args([format!("-Xmx{}m", options.heap_mib)])
        // Kafka's helper threads of a small machine; a shorter start matters more than pauses.
        .args([
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
        ])
        .args(classes)
        .args([format!("-Dlog4j2.configurationFile={}", config::LOGGING)])
        .args(["-cp".as_ref(), jars.as_os_str()])
        .current_dir(&options.data_dir)
}
