//! One file per command: its arguments, what it does, what it prints.

pub(crate) mod config;
pub(crate) mod source;

use postback_common::config::{self as settings, Settings};

use crate::arguments::{Arguments, Command, Options};
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Runs the command that was asked for.
pub(crate) async fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let options = &arguments.options;
    match &arguments.command {
        Command::Config(config) => config.run(options, console),
        Command::Source(source) => source.run(options, console),
    }
}

/// The checked settings of `--config`.
fn load(options: &Options, console: &mut Console) -> Result<Settings, Failure> {
    let settings = settings::load(&options.config)?;
    console.detail(format_args!("configuration: {}", options.config.display()));
    Ok(settings)
}
