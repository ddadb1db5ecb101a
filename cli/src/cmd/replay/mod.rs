//! `postback replay`: load everything anew by today's rules, beside what readers see.

mod cancel;
mod plan;
mod start;
mod status;
mod waiting;

use clap::{Args, Subcommand};

use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

pub(super) use waiting::Until;

/// Load everything anew by today's rules, beside what readers see
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "A replay makes a new generation of tables. The running consumers load it from the oldest record \
    that Kafka has, and from the raw records in `postbacks` where Kafka has them no more. Readers see \
    the old generation until `postback generation activate`, and it is loaded on, first."
)]
pub(crate) struct Replay {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Plan(plan::Plan),
    Start(start::Start),
    Status(status::Status),
    Cancel(cancel::Cancel),
}

impl Replay {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        match &self.command {
            Command::Plan(plan) => plan.run(options, console).await,
            Command::Start(start) => start.run(options, console).await,
            Command::Status(status) => status.run(options, console).await,
            Command::Cancel(cancel) => cancel.run(options, console).await,
        }
    }
}
