//! `postback url`: the URL to register with a network, made and checked.

mod build;
mod check;
mod finding;
mod meant;
mod registered;
mod transport;

pub(super) use check::{findings, tell};
use clap::{Args, Subcommand};
pub(super) use meant::{meant, nearest};
pub(super) use registered::{by_key, parameters};

use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Make the URL to register with a network, or say what one would be understood as
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Url {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(build::Build),
    Check(check::Check),
}

impl Url {
    pub(crate) fn run(&self, options: &Options, console: &mut Console) -> Result<Ending, Failure> {
        match &self.command {
            Command::Build(build) => build.run(options, console),
            Command::Check(check) => check.run(options, console),
        }
    }
}
