//! `postback generation`: sets of tables beside each other, one of which readers see.

mod accept;
mod activate;
mod diff;
mod discard;
mod ls;

use clap::{Args, Subcommand};

use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

pub(super) use diff::{Differences, outlived};
pub(super) use discard::drop_it;

/// Sets of tables beside each other, one of which readers see
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Generation {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ls(ls::Ls),
    Diff(diff::Diff),
    Activate(activate::Activate),
    Accept(accept::Accept),
    Drop(discard::Discard),
}

impl Generation {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        match &self.command {
            Command::Ls(ls) => ls.run(options, console).await,
            Command::Diff(diff) => diff.run(options, console).await,
            Command::Activate(activate) => activate.run(options, console).await,
            Command::Accept(accept) => accept.run(options, console).await,
            Command::Drop(discard) => discard.run(options, console).await,
        }
    }
}
