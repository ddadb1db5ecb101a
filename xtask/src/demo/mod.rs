//! `cargo xtask demo`: the whole way of a postback, on real servers, with a network that knows what
//! it sent.

mod expected;
mod hints;
mod outcome;
mod pipeline;
mod site;
mod tables;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use jiff::Timestamp;
use postback_simulator::{Ledger, Scenario, Sender, Settings, garbage, plan};
use postback_stack::{Cancellation, Needs};

use crate::project::Project;
use crate::report;
use crate::servers::Servers;
use pipeline::Pipeline;
use site::Site;

/// Connections of the network. More would not be faster: they share the machine with everything.
const CONNECTIONS: usize = 32;

/// How many postbacks are between two lines of progress.
const PROGRESS: u64 = 5_000;

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// End after the print instead of waiting for Ctrl-C
    #[arg(long)]
    exit: bool,
    /// How many postbacks the network sends, beside a few garbage requests
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    postbacks: u32,
    /// Where the chance of the postbacks' contents starts from
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// Runs the command.
///
/// # Errors
/// When a part does not start, or when what was loaded is not what was sent.
pub(crate) fn run(
    options: &Options,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    show(options, Servers::given()?, project, cancellation)
}

/// The demo with its defaults on servers of its own.
///
/// # Errors
/// When it would end with another exit code than 0.
pub(crate) fn run_as_test(project: &Project, cancellation: &Cancellation) -> anyhow::Result<()> {
    let options = Options {
        exit: true,
        postbacks: 20_000,
        seed: 1,
    };
    let code = show(&options, None, project, cancellation)?;
    if code != ExitCode::SUCCESS {
        bail!("the demo did not end with exit code 0");
    }
    Ok(())
}

fn show(
    options: &Options,
    given: Option<Servers>,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let installation = match &given {
        Some(_) => postback_stack::install_packages(Needs::BUILD, cancellation, &report::step)
            .map(|()| None)?,
        None => Some(postback_stack::install(
            Needs::BUILD,
            cancellation,
            &report::step,
        )?),
    };
    build(project, cancellation)?;

    let started = Instant::now();
    let directory = tempfile::Builder::new()
        .prefix("postback-demo-")
        .tempdir()?;
    let servers = match (given, installation) {
        (Some(servers), _) => servers,
        (None, None) => bail!("neither servers nor an installation of them"),
        (None, Some(installation)) => {
            report::step("Starting Kafka and ClickHouse");
            Servers::start(
                &installation,
                &directory.path().join("servers"),
                cancellation,
            )?
        }
    };
    let site = Site::create(directory.path(), servers)?;
    let shown = run_site(options, &site, project, started, cancellation);
    site.remove();
    shown
}

fn build(project: &Project, cancellation: &Cancellation) -> anyhow::Result<()> {
    report::step("Building postback-ingest, postback-consumer and postback");
    let packages = [
        "postback-ingest",
        "postback-consumer",
        "postback-cli",
        "postback-stack",
    ];
    let mut arguments = vec!["build", "--locked", "--bins"];
    arguments.extend(packages.iter().flat_map(|package| ["--package", package]));
    project.run_cargo(&arguments, cancellation)
}

/// Everything that happens on a site between its creation and its removal.
fn run_site(
    options: &Options,
    site: &Site,
    project: &Project,
    started: Instant,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let settings = Settings {
        seed: options.seed,
        postbacks: options.postbacks,
        ..Settings::until(Timestamp::now())
    };
    // The network makes its plans while the services start.
    let (scenario, pipeline) = std::thread::scope(|scope| {
        let scenario = scope.spawn(|| Scenario::generate(&settings));
        let pipeline = Pipeline::start(site, cancellation);
        (scenario.join(), pipeline)
    });
    let pipeline = pipeline?;
    let scenario = scenario.map_err(|_| anyhow!("the simulated network broke off"))??;
    let ledger = send(&scenario, site, cancellation)?;
    outcome::wait_until_loaded(&ledger, site, &pipeline, cancellation)?;
    let equal = outcome::print(&ledger, site)?;

    let (from, to) = (settings.first_day()?, settings.last_day.tomorrow()?);
    println!();
    site.postback(
        &[
            "report",
            "summary",
            "--by",
            "day",
            "--from",
            &from.to_string(),
            "--to",
            &to.to_string(),
        ],
        cancellation,
    )?;
    if let Some(order) = scenario.reversed_order_example() {
        println!("\nOne sale that was reversed: order {}\n", order.order_id);
        site.postback(&["trace", &order.order_id, "--as", "order"], cancellation)?;
    }
    report::step(&format!(
        "\n{:.1} s after the build",
        started.elapsed().as_secs_f64()
    ));

    if options.exit {
        pipeline.stop()?;
    } else {
        hints::print(site, project);
        pipeline.watch(cancellation)?;
    }
    if !equal {
        bail!("what was loaded is not what was sent; the differences stand above the report");
    }
    Ok(ExitCode::SUCCESS)
}

/// Sends the scenario and one request of each kind of garbage, and tells how far it is.
fn send(scenario: &Scenario, site: &Site, cancellation: &Cancellation) -> anyhow::Result<Ledger> {
    let registration = site.registration()?;
    let specimen = scenario
        .events
        .first()
        .context("a scenario without events")?;
    let mut deliveries = plan(&scenario.events, &registration);
    deliveries.extend(garbage(specimen, &registration));
    report::step(&format!(
        "Sending {} requests over {CONNECTIONS} connections",
        deliveries.len()
    ));
    let interrupted = cancellation.clone();
    let sender = Sender::new(site.ingest_address(), CONNECTIONS);
    // On a thread of its own, so that an interruption need not wait for it: it ends with us.
    let (done, ledger) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("network".to_owned())
        .spawn(move || {
            let sent = sender.send_blocking(deliveries, |progress| {
                let due = progress.sent % PROGRESS == 0 || progress.sent == progress.planned;
                if due && !interrupted.is_cancelled() {
                    let (sent, planned) = (progress.sent, progress.planned);
                    report::step(&format!(
                        "  {sent} of {planned} sent, {} acknowledged",
                        progress.acknowledged
                    ));
                }
            });
            // Nobody listens any more after an interruption.
            drop(done.send(sent));
        })?;
    loop {
        match ledger.recv_timeout(postback_stack::cancellation::LOOK) {
            Ok(sent) => return Ok(sent?),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => cancellation.check()?,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                bail!("the simulated network broke off");
            }
        }
    }
}
