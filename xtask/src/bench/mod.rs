//! `cargo xtask bench`: what the parts cost, beside what they are built on. [`loader`] is `bench
//! load`, [`normalise`] `bench normalise`, [`replay`] `bench replay`, [`reports`] `bench reports`,
//! [`simulate`] `bench simulate`, [`watch`] `bench watch`; the rest of this folder is `bench ingest`: what ingest costs,
//! beside a hyper that does nothing.
//!
//! Three servers take turns at the same load on the same processor: a bare hyper, ingest with
//! Kafka, ingest with Kafka frozen. The machine is seldom quiet, so each has several turns and the
//! medians are told; ratios of one run say more than any figure of it.

mod figures;
mod host;
mod load;
mod loader;
mod normalise;
mod page;
mod place;
mod replay;
mod reports;
mod server;
mod simulate;
mod start;
mod targets;
mod turn;
mod watch;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use postback_stack::{Cancellation, Needs};
use serde::Serialize;

use crate::project::Project;
use crate::report;
use figures::Figures;
use host::Host;
use place::Place;
use server::Variant;
use targets::Target;

/// Exit code: it ran, and a target is missed.
const MISSED: u8 = 3;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// What ingest costs, beside a hyper that does nothing; prints Markdown
    Ingest(Options),
    /// What loading costs, beside ClickHouse's Kafka engine; prints Markdown
    Load(loader::Options),
    /// What normalising one postback costs; prints Markdown
    Normalise(normalise::Options),
    /// How fast a replay is beside live load; prints Markdown
    Replay(replay::Options),
    /// What reports cost over many conversions; prints Markdown
    Reports(reports::Options),
    /// Whether the simulated network keeps its schedule from one core; prints Markdown
    Simulate(simulate::Options),
    /// How soon breaks are found, beside glrnb of R's surveillance; prints Markdown
    Watch(watch::Options),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Print JSON instead of Markdown
    #[arg(long)]
    json: bool,
    /// How long each load is sent
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// How many turns each server has
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=20))]
    rounds: u64,
    /// One turn of one second a load, to see that it works
    #[arg(long)]
    quick: bool,
}

impl Options {
    fn settled(&self) -> Self {
        let mut settled = self.clone();
        if self.quick {
            (settled.seconds, settled.rounds) = (1, 1);
        }
        settled
    }
}

/// Runs the command.
///
/// # Errors
/// When something does not start or does not answer.
pub(crate) fn run(
    command: &Command,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let options = match command {
        Command::Ingest(options) => options.settled(),
        Command::Load(options) => return loader::run(options, project, cancellation),
        Command::Normalise(options) => return normalise::run(options, project, cancellation),
        Command::Replay(options) => return replay::run(options, project, cancellation),
        Command::Reports(options) => return reports::run(options, project, cancellation),
        Command::Simulate(options) => return simulate::run(options, project, cancellation),
        Command::Watch(options) => return watch::run(options, project, cancellation),
    };
    let installation = postback_stack::install(Needs::BUILD, cancellation, &report::step)?;
    build(project, cancellation)?;
    let place = Place::make(project, &installation, cancellation)?;
    let figures = measure(&options, &place, cancellation)?;
    tell(&figures, options.json, page::write, &figures.targets)
}

/// Prints figures, as Markdown by `page`, and says whether a target is missed.
fn tell<F: Serialize>(
    figures: &F,
    as_json: bool,
    page: impl FnOnce(&F) -> String,
    targets: &[Target],
) -> anyhow::Result<ExitCode> {
    if as_json {
        println!("{}", serde_json::to_string_pretty(figures)?);
    } else {
        print!("{}", page(figures));
    }
    let missed = targets.iter().any(|target| !target.met);
    Ok(if missed {
        ExitCode::from(MISSED)
    } else {
        ExitCode::SUCCESS
    })
}

/// The programs that are measured, and those that measure.
fn build(project: &Project, cancellation: &Cancellation) -> anyhow::Result<()> {
    let binaries = ["--bins", "-p", "postback-ingest", "-p", "postback-load"];
    release(project, &binaries, cancellation)?;
    let filler = ["-p", "postback-spool", "--example", "fill"];
    release(project, &filler, cancellation)?;
    // Makes the topic; how fast does not matter.
    let command = ["build", "--locked", "-p", "postback-cli"];
    project.run_cargo(&command, cancellation)
}

/// Builds programs as they are released.
fn release(project: &Project, what: &[&str], cancellation: &Cancellation) -> anyhow::Result<()> {
    report::step("Building for release; the first time takes minutes");
    let arguments = [&["build", "--release", "--locked"], what].concat();
    project.run_cargo(&arguments, cancellation)
}

fn measure(
    options: &Options,
    place: &Place,
    cancellation: &Cancellation,
) -> anyhow::Result<Figures> {
    let mut turns = Vec::new();
    for round in 1..=options.rounds {
        for variant in Variant::ALL {
            report::step(&format!("Round {round} of {}: {variant}", options.rounds));
            turns.extend(turn::take(variant, options, place, cancellation)?);
        }
    }
    report::step("10,000 connections while Kafka is frozen");
    let crowd = turn::crowd(place, cancellation)?;
    report::step("From the start to the first connection, with an empty and a full spool");
    let starts = start::measure(options, place, cancellation)?;
    Ok(Figures::new(Host::look(), options, turns, crowd, starts))
}
