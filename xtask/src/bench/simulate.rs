//! `cargo xtask bench simulate`: whether the simulated network keeps its schedule from one core.
//!
//! All its threads share one processor; the receiver, a hyper that does nothing, has another.

use std::io::{BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use postback_simulator::Audit;
use postback_simulator::ledger::line::End;
use postback_stack::{Cancellation, Needs, Supervised, port};
use serde::Serialize;

use super::host::{self, Host};
use super::page::targets_table;
use super::place::{Processor, launch, released, wait_until};
use super::targets::Target;
use super::{release, tell};
use crate::project::Project;
use crate::report;

/// How often its CPU time is read: what it takes after the last look is not counted.
const LOOK: Duration = Duration::from_millis(50);

/// The URL key: nothing that anybody guards.
const KEY: &str = "bench-key-0123456789abcdef";

/// Every field of the network.
const FIELDS: [&str; 17] = [
    "etransaction_id",
    "advertiser_id",
    "sid",
    "order_id",
    "offer_id",
    "sku_number",
    "sale_amount",
    "quantity",
    "commissions",
    "process_date",
    "transaction_date",
    "transaction_type",
    "product_name",
    "currency",
    "u1",
    "is_event",
    "commission_list_id",
];

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Print JSON instead of Markdown
    #[arg(long)]
    json: bool,
    /// Postbacks a second
    #[arg(long, default_value_t = 15_000)]
    rate: u32,
    /// For how long
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    host: Host,
    rate: u32,
    seconds: u64,
    attempts: u64,
    answered: u64,
    /// More than 10 ms after their time.
    late: u64,
    latest_ms: f64,
    /// Of all its threads, the ledger's included, in µs for each postback.
    cpu_us: f64,
    targets: Vec<Target>,
}

/// Runs the command.
///
/// # Errors
/// When something does not start or does not end.
pub(super) fn run(
    options: &Options,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    project.set_up(Needs::BUILD, cancellation)?;
    let binaries = ["--bins", "-p", "postback-cli", "-p", "postback-load"];
    release(project, &binaries, cancellation)?;
    let figures = measure(options, cancellation)?;
    tell(&figures, options.json, page, &figures.targets)
}

fn measure(options: &Options, cancellation: &Cancellation) -> anyhow::Result<Figures> {
    let binaries = released()?;
    let folder = tempfile::tempdir()?;
    let [listen] = port::free()?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, listen));
    let receiver = launch(&binaries.join("postback-bare"), Processor::Server)
        .args(["--listen".to_owned(), listen.to_string()])
        .log(folder.path().join("bare.log"))
        .spawn()?;
    let connect = || Ok(TcpStream::connect(listen).is_ok());
    wait_until("the bare server listens", cancellation, connect)?;
    report::step(&format!(
        "{} a second for {} s",
        options.rate, options.seconds
    ));
    let log = folder.path().join("simulate.log");
    let ledger = folder.path().join("ledger.jsonl");
    let network = launch(&binaries.join("postback"), Processor::Senders)
        .args(["-c".into(), configuration(folder.path())?])
        .args([
            "simulate",
            "run",
            "--source",
            "bench",
            "--api",
            "127.0.0.1:0",
            "--seed",
            "1",
        ])
        .args(["--url".to_owned(), format!("http://{listen}")])
        .args(["--rate".to_owned(), options.rate.to_string()])
        .args(["--for".to_owned(), format!("{}s", options.seconds)])
        .args(["--ledger".as_ref(), ledger.as_os_str()])
        .log(&log)
        .spawn()?;
    let cpu = cpu_until_the_end(&network, cancellation)?;
    drop(receiver);
    let printed = std::fs::read_to_string(&log).unwrap_or_default();
    let ledger = std::fs::File::open(&ledger).with_context(|| printed.clone())?;
    let audit = Audit::read(BufReader::new(ledger))?;
    match audit.end() {
        Some(end) => Ok(figures(options, end, cpu)),
        None => bail!("the run did not end in order: {printed}"),
    }
}

/// A source whose parameters are all renamed by one letter, as a file.
fn configuration(folder: &Path) -> anyhow::Result<std::ffi::OsString> {
    let query = FIELDS.map(|field| format!("x{field}=<{field}>")).join("&");
    let file = folder.join("postback.toml");
    let text = format!(
        "[kafka]\nbrokers = \"127.0.0.1:1\"\n[[source]]\nname = \"bench\"\nnetwork = \"rakuten\"\n\
         [[source.key]]\nkey = \"{KEY}\"\n[[source.template]]\nurl = \"http://h/postback/{KEY}?{query}\"\n"
    );
    std::fs::File::create(&file)?.write_all(text.as_bytes())?;
    Ok(file.into())
}

/// Seconds of CPU time, as last seen.
fn cpu_until_the_end(network: &Supervised, cancellation: &Cancellation) -> anyhow::Result<f64> {
    let mut cpu = 0.0;
    while network.is_running() {
        if let Ok(seen) = host::cpu(network.pid()) {
            cpu = seen;
        }
        cancellation.sleep(LOOK)?;
    }
    Ok(cpu)
}

fn figures(options: &Options, end: &End, cpu: f64) -> Figures {
    let count = |count: u64| u32::try_from(count).map_or(f64::MAX, f64::from);
    let attempts = end.schedule.attempts;
    let latest_ms = count(end.schedule.latest_us) / 1e3;
    // The bare receiver refuses what its HTTP library does: careless spelling. That is an answer.
    let answered = end.counts.acknowledged + end.counts.refused;
    let unanswered = count(end.counts.planned - answered);
    Figures {
        host: Host::look(),
        rate: options.rate,
        seconds: options.seconds,
        attempts,
        answered,
        late: end.schedule.late,
        latest_ms,
        cpu_us: cpu * 1e6 / count(attempts.max(1)),
        targets: vec![
            Target::new("the latest attempt after its time", "ms", latest_ms, 100.0),
            Target::new("postbacks without an answer", "", unanswered, 0.0),
        ],
    }
}

fn page(figures: &Figures) -> String {
    let Figures {
        host,
        rate,
        seconds,
        attempts,
        late,
        latest_ms,
        cpu_us,
        targets,
        ..
    } = figures;
    format!(
        "{}; {rate} postbacks a second for {seconds} s from one processor.\n\n\
         {attempts} attempts, {late} begun more than 10 ms late, the latest {latest_ms:.1} ms; \
         {cpu_us:.1} µs of CPU a postback, ledger included.\n\n### Targets\n\n{}",
        host.line(),
        targets_table(targets)
    )
}
