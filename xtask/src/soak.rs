//! `cargo xtask soak ingest`: the fault tests at full length.

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
    Ingest(Options),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
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

/// Runs the command; its exit code is that of the soak: 3 when a promise was broken.
///
/// # Errors
/// When something cannot be built or started, or when interrupted.
pub(crate) fn run(
    command: &Command,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let Command::Ingest(options) = command;
    let needs = Needs {
        build: true,
        compose: false,
    };
    postback_stack::install(needs, cancellation, &report::step)?;
    report::step("Building what is played with");
    let packages = ["postback-ingest", "postback-cli", "postback-tests"];
    let mut arguments = vec!["build", "--locked", "--bins"];
    arguments.extend(packages.iter().flat_map(|package| ["--package", package]));
    project.run_cargo(&arguments, cancellation)?;

    let program = std::env::current_exe()?.with_file_name("postback-soak");
    let soak = Launch::new(program)
        .args(["--rounds".to_owned(), options.rounds.to_string()])
        .args(["--rate".to_owned(), options.rate.to_string()])
        .args(["--fault", &options.fault])
        .envs([("POSTBACK_TEST_LOG_DIR", project.target().join("soak-logs"))])
        .spawn()?;
    let status = soak.wait(cancellation, GRACE)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
