//! `cargo xtask soak`: what the tests play for seconds, at full length.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use postback_stack::{Cancellation, Launch, Needs};

use crate::project::Project;
use crate::report;

/// How long the soak may take to stop.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Play every fault on an ingest under load and account for each request; about 8 minutes a
    /// round
    Ingest(IngestOptions),
    /// Interrupt loading everywhere and at random, and hold the tables against what was sent; about
    /// 5 minutes a round
    Load(LoadOptions),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct IngestOptions {
    /// How often each fault is played
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Only the faults whose names hold this
    #[arg(long, value_name = "TEXT", default_value = "")]
    fault: String,
    /// Requests a second
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=5000))]
    rate: u32,
}

impl IngestOptions {
    fn arguments(&self) -> Vec<String> {
        ["ingest".to_owned()]
            .into_iter()
            .chain(["--rounds".to_owned(), self.rounds.to_string()])
            .chain(["--rate".to_owned(), self.rate.to_string()])
            .chain(["--fault".to_owned(), self.fault.clone()])
            .collect()
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct LoadOptions {
    /// How often each scene is played
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long the interruptions of a scene go on that has no end of its own
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Only the scenes whose names hold this
    #[arg(long, value_name = "TEXT", default_value = "")]
    scene: String,
    /// Postbacks a second
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    rate: u32,
    /// Of the first round; each round has another one
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl LoadOptions {
    fn arguments(&self) -> Vec<String> {
        ["load".to_owned()]
            .into_iter()
            .chain(["--rounds".to_owned(), self.rounds.to_string()])
            .chain(["--seconds".to_owned(), self.seconds.to_string()])
            .chain(["--rate".to_owned(), self.rate.to_string()])
            .chain(["--seed".to_owned(), self.seed.to_string()])
            .chain(["--scene".to_owned(), self.scene.clone()])
            .collect()
    }
}

/// Runs the command; its exit code is that of the soak: 3 when a promise was broken.
///
/// # Errors
/// When something cannot be built or started, or when interrupted.
pub(crate) fn run(
    command: &Command,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let (part, arguments) = match command {
        Command::Ingest(options) => ("postback-ingest", options.arguments()),
        Command::Load(options) => ("postback-consumer", options.arguments()),
    };
    postback_stack::install(Needs::BUILD, cancellation, &report::step)?;
    report::step("Building what is played with");
    let packages = [part, "postback-cli", "postback-tests"];
    let mut build = vec!["build", "--locked", "--bins"];
    build.extend(packages.iter().flat_map(|package| ["--package", package]));
    project.run_cargo(&build, cancellation)?;

    let program = std::env::current_exe()?.with_file_name("postback-soak");
    let soak = Launch::new(program)
        .args(arguments)
        .envs([("POSTBACK_TEST_LOG_DIR", project.target().join("soak-logs"))])
        .spawn()?;
    let status = soak.wait(cancellation, GRACE)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
