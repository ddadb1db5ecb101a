//! `postback simulate`: a network that behaves like the real one, and its ledger.

mod run;
mod verify;

use clap::{Args, Subcommand};

use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Be a network that behaves like Rakuten, and compare its ledger with the tables
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Simulate {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Run>),
    Verify(verify::Verify),
}

impl Simulate {
    /// A run ends its ledger in order.
    pub(crate) const fn stops_in_order(&self) -> bool {
        matches!(self.command, Command::Run(_))
    }

    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        match &self.command {
            Command::Run(run) => run.run(options, console).await,
            Command::Verify(verify) => verify.run(options, console).await,
        }
    }
}
