//! The project's tasks: `cargo xtask demo`, `test`, `bench`, `soak`, `fuzz`, `stack`, `check`.
//!
//! This program builds with Rust and a C linker alone; it installs what the others need. One file
//! or folder per command.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program: results on standard output, progress on standard error"
)]

mod bench;
mod check;
mod demo;
mod fuzz;
mod interrupt;
mod project;
mod report;
mod servers;
mod soak;
mod stack;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use postback_stack::StackError;

use project::Project;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The project's tasks"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the whole way of a postback on real Kafka and ClickHouse
    Demo(demo::Options),
    /// Run every check and every test, on real Kafka and ClickHouse
    Test(test::Options),
    /// Check formatting, lints, imports, licences, docs and the paths that the docs name
    Check(check::Options),
    /// Measure a part beside what it is built on
    #[command(subcommand)]
    Bench(bench::Command),
    /// Play faults at full length on a part under load
    #[command(subcommand)]
    Soak(soak::Command),
    /// Look for bytes that break a promise of ingest or of its records
    Fuzz(fuzz::Options),
    /// Run only the two servers, Kafka and ClickHouse
    #[command(subcommand)]
    Stack(stack::Command),
}

/// The exit code of a run that Ctrl-C or SIGTERM ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let project = Project::find()?;
    let cancellation = interrupt::listen()?;
    match command {
        Command::Demo(options) => demo::run(&options, &project, &cancellation),
        Command::Test(options) => test::run(&options, &project, &cancellation),
        Command::Check(options) => check::run_command(options, &project, &cancellation),
        Command::Bench(command) => bench::run(&command, &project, &cancellation),
        Command::Soak(command) => soak::run(&command, &project, &cancellation),
        Command::Fuzz(options) => fuzz::run(&options, &project, &cancellation),
        Command::Stack(command) => stack::run(command, &project, &cancellation),
    }
}

/// The only place where an error becomes an exit code.
fn fail(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<StackError>() {
        Some(StackError::Cancelled) => {
            eprintln!("interrupted");
            ExitCode::from(INTERRUPTED)
        }
        Some(StackError::MissingPackages { .. }) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
        _ => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
