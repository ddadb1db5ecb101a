//! `postback report`: what the postbacks say.

mod asked;
mod compared;
mod footer;
mod frame;
mod sources;
mod summary;

use clap::{Args, Subcommand};

use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Reports: sums that are preliminary until networks settle
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Report {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Summary(summary::Summary),
}

impl Report {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        match &self.command {
            Command::Summary(summary) => summary.run(options, console).await,
        }
    }
}
