//! One file per command: its arguments, what it does, what it prints.

pub(crate) mod annotate;
pub(crate) mod backfill;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod doctor;
mod door;
pub(crate) mod endpoint;
pub(crate) mod generation;
mod import;
pub(crate) mod migrate;
mod names;
pub(crate) mod network;
pub(crate) mod order;
pub(crate) mod query;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod send;
pub(crate) mod simulate;
pub(crate) mod source;
pub(crate) mod spool;
pub(crate) mod statement;
pub(crate) mod tail;
pub(crate) mod trace;
pub(crate) mod url;
pub(crate) mod verify;
pub(crate) mod watch;

use std::collections::BTreeMap;

use postback_common::config::{self as settings, ConfigError, Settings};
use postback_normalise::Configured;

use crate::arguments::{Arguments, Command, Options};
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Runs the command that was asked for.
pub(crate) async fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let options = &arguments.options;
    match &arguments.command {
        Command::Doctor(doctor) => Box::pin(doctor.run(options, console)).await,
        Command::Config(config) => config.run(options, console),
        Command::Migrate(migrate) => migrate.run(options, console).await,
        Command::Source(source) => source.run(options, console),
        Command::Network(network) => network.run(options, console),
        Command::Url(url) => url.run(options, console),
        Command::Send(send) => Box::pin(send.run(options, console)).await,
        Command::Simulate(simulate) => Box::pin(simulate.run(options, console)).await,
        Command::Spool(spool) => spool.run(options, console).await,
        Command::Replay(replay) => Box::pin(replay.run(options, console)).await,
        Command::Generation(generation) => Box::pin(generation.run(options, console)).await,
        Command::Report(report) => report.run(options, console).await,
        Command::Trace(trace) => trace.run(options, console).await,
        Command::Order(order) => Box::pin(order.run(options, console)).await,
        Command::Statement(statement) => Box::pin(statement.run(options, console)).await,
        Command::Tail(tail) => Box::pin(tail.run(options, console)).await,
        Command::Query(query) => Box::pin(query.run(options, console)).await,
        Command::Completion(completion) => completion.run(console),
        Command::Verify(verify) => Box::pin(verify.run(options, console)).await,
        Command::Watch(watch) => Box::pin(watch.run(options, console)).await,
        Command::Endpoint(endpoint) => Box::pin(endpoint.run(options, console)).await,
        Command::Annotate(annotate) => annotate.run(options, console).await,
        Command::Backfill(backfill) => Box::pin(backfill.run(options, console)).await,
    }
}

/// A configuration in which everything was checked that can be checked without a server.
struct Loaded {
    settings: Settings,
    configured: Configured,
}

/// Reads and checks `--config`.
fn load(options: &Options, console: &mut Console) -> Result<Loaded, Failure> {
    configured(settings::load(&options.config)?, options, console)
}

/// With the rules of all sources, which come from `--config`.
fn configured(
    settings: Settings,
    options: &Options,
    console: &mut Console,
) -> Result<Loaded, Failure> {
    let file = &options.config;
    let configured = Configured::new(&settings.sources, &BTreeMap::new());
    let configured = configured.map_err(|faults| ConfigError::refused(file, faults))?;
    console.detail(format_args!("configuration: {}", file.display()));
    Ok(Loaded {
        settings,
        configured,
    })
}
