//! `cargo xtask bench load`: what loading costs, beside ClickHouse's own Kafka engine.
//!
//! One topic of raw records; each way of loading reads it from the beginning on the same servers,
//! one after the other. CPU times of one run can be compared with each other; those of a busy
//! machine are too high for all alike.

mod consumer;
mod cost;
mod engine;
mod figures;
mod floor;
pub(super) mod metrics;
mod page;
pub(super) mod site;
mod targets;

use std::process::ExitCode;

use clap::Args;
use postback_stack::{Cancellation, Needs};

use super::host::Host;
use super::{release, tell};
use crate::project::Project;
use crate::report;
use consumer::Tables;
use cost::Cost;
use figures::Figures;
use site::Site;

/// Rows of each table that the floor is measured with.
const FLOOR_RECORDS: u64 = 500_000;

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Print JSON instead of Markdown
    #[arg(long)]
    json: bool,
    /// How many raw records the topic has
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    records: u64,
    /// Only the consumer into both tables
    #[arg(long)]
    consumer_only: bool,
    /// 50,000 records, to see that it works
    #[arg(long)]
    quick: bool,
}

/// Runs the command.
///
/// # Errors
/// When something does not start, does not end, or two ways of loading end differently.
pub(crate) fn run(
    options: &Options,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let mut options = options.clone();
    if options.quick {
        options.records = 50_000;
    }
    let site = prepare(project, cancellation)?;
    let figures = measure(&options, &site, cancellation)?;
    tell(&figures, options.json, page::write, &figures.targets)
}

/// Installs what is missing, builds, and starts the servers.
pub(super) fn prepare(project: &Project, cancellation: &Cancellation) -> anyhow::Result<Site> {
    let installation = project.set_up(Needs::BUILD, cancellation)?;
    // What is measured, and what fills the topic.
    let binaries = [
        "--bins",
        "-p",
        "postback-consumer",
        "-p",
        "postback-cli",
        "-p",
        "postback-tests",
    ];
    release(project, &binaries, cancellation)?;
    Site::make(project, &installation, cancellation)
}

fn measure(options: &Options, site: &Site, cancellation: &Cancellation) -> anyhow::Result<Figures> {
    site.postback(&["migrate"], cancellation)?;
    report::step(&format!(
        "Filling the topic with {} records",
        options.records
    ));
    let filled = site.fill(options.records, cancellation)?;
    report::step("(a) the consumer, both tables");
    let both = consumer::load(Tables::Both, site, options.records, cancellation)?;
    let mut costs: Vec<Cost> = vec![both];
    if !options.consumer_only {
        let conversions = site.count("conversions")?;
        report::step("(d) the floor: the same rows, ready-made");
        let floor = floor::load(site, options.records.min(FLOOR_RECORDS), cancellation)?;
        report::step("(c) ClickHouse's Kafka engine and a materialized view, one table");
        let engine = engine::load(site, options.records, conversions, cancellation)?;
        report::step("(b) the consumer, one table");
        costs.push(consumer::load(
            Tables::ConversionsAlone,
            site,
            options.records,
            cancellation,
        )?);
        costs.push(engine);
        costs.extend(floor);
    }
    Ok(Figures {
        host: Host::look(),
        records: options.records,
        record_bytes: filled.bytes / filled.records.max(1),
        targets: targets::judge(&costs),
        costs,
    })
}
