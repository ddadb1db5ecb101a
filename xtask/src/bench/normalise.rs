//! `cargo xtask bench normalise`: what one postback costs from its raw record to its row, through the
//! machinery that serves every network.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use postback_stack::{Cancellation, Needs};
use serde::{Deserialize, Serialize};

use super::figures::median;
use super::host::Host;
use super::page::{table, targets_table};
use super::targets::Target;
use super::{release, tell};
use crate::project::{self, Project};
use crate::report;

/// CPU time of one postback in microseconds.
const AT_MOST: f64 = 1.2;

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Print JSON instead of Markdown
    #[arg(long)]
    json: bool,
    /// How many rounds of 40,960 postbacks
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
}

/// One round, as the measuring program tells it.
#[derive(Clone, Debug, Deserialize)]
struct Round {
    bytes: u64,
    fields: u64,
    postbacks: u64,
    cpu_ns: f64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    host: Host,
    /// Bytes of each query.
    bytes: u64,
    /// Parameters of each, all renamed by a template.
    fields: u64,
    postbacks_a_round: u64,
    rounds: usize,
    /// CPU time of one postback: of the quickest round, of half of them, of nine out of ten.
    least_us: f64,
    median_us: f64,
    p90_us: f64,
    targets: Vec<Target>,
}

/// Runs the command.
///
/// # Errors
/// When it does not build or does not run.
pub(super) fn run(
    options: &Options,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    postback_stack::install_packages(Needs::BUILD, cancellation, &report::step)?;
    let program = ["-p", "postback-normalise", "--example", "cost"];
    release(project, &program, cancellation)?;
    report::step(&format!("{} rounds", options.rounds));
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("rounds");
    let rounds = options.rounds.to_string();
    let run = ["run", "--quiet", "--release", "--locked"];
    let measure = [&run, &program[..], &["--", &rounds]].concat();
    let launch = project.cargo(&measure).log(&log);
    project::wait("the measurement", launch, cancellation)?;
    let text = fs::read_to_string(&log)?;
    let figures = figures(&text).with_context(|| format!("not understood: {text}"))?;
    tell(&figures, options.json, page, &figures.targets)
}

fn figures(text: &str) -> anyhow::Result<Figures> {
    let rounds = text.lines().map(serde_json::from_str::<Round>);
    let rounds = rounds.collect::<Result<Vec<_>, _>>()?;
    let first = rounds.first().context("no round at all")?;
    let mut all: Vec<f64> = rounds.iter().map(|round| round.cpu_ns / 1_000.0).collect();
    all.sort_by(f64::total_cmp);
    let median_us = median(all.clone());
    let what = "CPU of one postback, half of the rounds";
    Ok(Figures {
        host: Host::look(),
        bytes: first.bytes,
        fields: first.fields,
        postbacks_a_round: first.postbacks,
        rounds: all.len(),
        least_us: all[0],
        median_us,
        p90_us: all[all.len() * 9 / 10],
        targets: vec![Target::new(what, "µs", median_us, AT_MOST)],
    })
}

fn page(figures: &Figures) -> String {
    let row = |what: &str, us: f64| vec![what.to_owned(), format!("{us:.2}")];
    let rows = [
        row("quickest round", figures.least_us),
        row("half of the rounds", figures.median_us),
        row("nine out of ten", figures.p90_us),
    ];
    format!(
        "{}; {} rounds of {} postbacks, {} bytes and {} renamed fields each.\n\n{}\n### Targets\n\n{}",
        figures.host.line(),
        figures.rounds,
        figures.postbacks_a_round,
        figures.bytes,
        figures.fields,
        table(&["", "CPU µs a postback"], rows.into_iter()),
        targets_table(&figures.targets)
    )
}
