//! Where a benchmark happens: a directory on the build's disk, a broker, ports, and which processor
//! is whose.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use postback_stack::{
    Cancellation, Installation, KafkaOptions, KafkaServer, Launch, Supervised, port,
};
use tempfile::TempDir;

use crate::project::Project;

/// How long a service may take until it is ready.
pub(super) const READY: Duration = Duration::from_secs(60);

/// How often something is looked at that is waited for.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// How long a command may take to stop.
const GRACE: Duration = Duration::from_secs(5);

/// What everything that is started here prints.
const LOG: &str = "server.log";

/// A request as Rakuten sends it, 500 bytes of query.
const QUERY: &str = "unique_id=click-{number}&is_event=N&etransaction_id=7f3a91c2d4e84b06a5c1e9d0{number}&advertiser_id=38421&order_id=ORD-2026-{number}&sku_number=SKU-77120-BLK-42&quantity=2&sale_amount=129.9000&commissions=10.3920&currency=USD&transaction_date=2026-09-01%2012%3A34%3A56&process_date=2026-09-01%2012%3A40%3A03&offer_id=312004&product_name=Trail%20Running%20Shoe%20%28black%2C%2042%29&sid=3104552&click_time=2026-08-31%2021%3A02%3A11&member_id=m-5518204417&campaign=autumn-2026-running-eu-west";

/// The place of one benchmark; what it started and wrote goes with it.
pub(super) struct Place {
    directory: TempDir,
    binaries: PathBuf,
    examples: PathBuf,
    commands: PathBuf,
    pub(super) kafka: KafkaServer,
    /// The URL key, a secret of this run alone.
    key: String,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Place {
    /// Starts a broker on the senders' processor and makes the topic.
    pub(super) fn make(
        project: &Project,
        installation: &Installation,
        cancellation: &Cancellation,
    ) -> anyhow::Result<Self> {
        // Not where the system keeps temporary files, which may be memory: the spool needs a disk.
        std::fs::create_dir_all(project.target())?;
        let directory = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(project.target())?;
        let (commands, binaries) = (commands()?, released()?);
        let kafka = KafkaOptions::new(directory.path().join("kafka"));
        let kafka = KafkaServer::start(installation, kafka, cancellation)?;
        let log = directory.path().join(LOG);
        pin(kafka.process(), Processor::Senders, &log, cancellation)?;
        let [listen, admin] = port::free()?;
        let place = Self {
            examples: binaries.join("examples"),
            binaries,
            commands,
            kafka,
            key: std::fs::read_to_string("/proc/sys/kernel/random/uuid")?
                .trim()
                .to_owned(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, listen)),
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, admin)),
            directory,
        };
        place.configure()?;
        place.make_topic(cancellation)?;
        Ok(place)
    }

    /// Where the server under load listens.
    pub(super) fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where ingest's admin listener is.
    pub(super) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The configuration of ingest.
    pub(super) fn configuration(&self) -> PathBuf {
        self.directory.path().join("postback.toml")
    }

    /// The spool of ingest.
    pub(super) fn spool(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    /// What the servers print.
    pub(super) fn log(&self) -> PathBuf {
        self.directory.path().join(LOG)
    }

    /// The target of the requests; `{number}` stands for their numbers.
    pub(super) fn target(&self) -> String {
        format!("/postback/{}?{QUERY}", self.key)
    }

    /// A released program on a processor.
    pub(super) fn program(&self, name: &str, on: Processor) -> Launch {
        launch(&self.binaries.join(name), on)
    }

    /// Fills the spool as a process does that was killed while Kafka was away.
    pub(super) fn fill_spool(&self, mib: u64, cancellation: &Cancellation) -> anyhow::Result<()> {
        let filling = launch(&self.examples.join("fill"), Processor::Server)
            .args([self.spool()])
            .args([mib.to_string()])
            .log(self.log())
            .spawn()?;
        let status = filling.wait(cancellation, GRACE)?;
        if !status.success() {
            bail!("filling the spool failed ({status}): {}", self.printed());
        }
        Ok(())
    }

    /// Throws away what is in the spool.
    pub(super) fn empty_spool(&self) -> anyhow::Result<()> {
        match std::fs::remove_dir_all(self.spool()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// What the servers printed last.
    pub(super) fn printed(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    fn configure(&self) -> anyhow::Result<()> {
        let text = format!(
            "[kafka]\nbrokers = \"{}\"\n\n\
             [clickhouse]\nurl = \"http://127.0.0.1:9\"\n\n\
             [ingest]\nlisten = \"{}\"\nadmin_listen = \"{}\"\nspool_dir = \"{}\"\nspool_max_bytes = {}\n\n\
             [[source]]\nname = \"rakuten-us\"\nnetwork = \"rakuten\"\n\n[[source.key]]\nkey = \"{}\"\n",
            self.kafka.brokers(),
            self.listen,
            self.admin,
            self.spool().display(),
            16_u64 << 30,
            self.key,
        );
        Ok(std::fs::write(self.configuration(), text)?)
    }

    /// `postback migrate` makes the topic although there is no ClickHouse, and says so.
    fn make_topic(&self, cancellation: &Cancellation) -> anyhow::Result<()> {
        let command = Launch::new(self.commands.join("postback"))
            .args(["-c".into(), self.configuration()])
            .args(["migrate"])
            .log(self.log());
        plain(command).spawn()?.wait(cancellation, GRACE)?;
        if !self.printed().contains("made topic") {
            bail!("no topic was made: {}", self.printed());
        }
        Ok(())
    }
}

/// Where programs are that were built for development: beside this one.
fn commands() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("xtask has no directory")?.to_owned())
}

/// Where programs are that were built for release, wherever cargo was told to build.
pub(super) fn released() -> anyhow::Result<PathBuf> {
    Ok(commands()?.with_file_name("release"))
}

/// Who runs where: the server under load has a processor of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Processor {
    /// The first one.
    Server,
    /// All others: the sender and the broker.
    Senders,
}

impl Processor {
    /// As `taskset` has it.
    pub(super) fn list(self) -> String {
        let last = processors() - 1;
        match self {
            Self::Server => "0".to_owned(),
            Self::Senders if last <= 1 => last.to_string(),
            Self::Senders => format!("1-{last}"),
        }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(super) fn launch(program: &Path, on: Processor) -> Launch {
    let launch = Launch::new("taskset").args(["--cpu-list", &on.list()]);
    plain(launch.args([program]))
}

/// Nothing of Postback's from the environment: it would win over the configuration.
fn plain(launch: Launch) -> Launch {
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    variables
        .filter(|name| name.starts_with("POSTBACK__") || name == "RUST_LOG")
        .fold(launch, Launch::env_remove)
}

/// Moves all threads of a running process.
fn pin(
    process: &Supervised,
    to: Processor,
    log: &Path,
    cancellation: &Cancellation,
) -> anyhow::Result<()> {
    let pid = process.pid().to_string();
    let moving = Launch::new("taskset")
        .args(["--all-tasks", "--pid", "--cpu-list", &to.list(), &pid])
        .log(log)
        .spawn()?;
    let status = moving.wait(cancellation, GRACE)?;
    if !status.success() {
        bail!("taskset failed ({status})");
    }
    Ok(())
}

/// Waits until something is so.
///
/// # Errors
/// When it is not after [`READY`], when looking fails, or when cancelled.
pub(super) fn wait_until(
    what: &str,
    cancellation: &Cancellation,
    mut look: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let end = Instant::now() + READY;
    while !look()? {
        if Instant::now() > end {
            bail!("waited {READY:?} in vain: {what}");
        }
        cancellation.sleep(LOOK)?;
    }
    Ok(())
}
