//! `postback order`: own orders, to compare conversions with.

use clap::{Args, Subcommand};
use postback_normalise::profile::Subject;

use super::import::{self, Import};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Bring in your own shop's orders, to compare conversions with
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Order {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring in a file of orders
    #[command(after_help = "Examples:\n  \
        postback order import orders.csv\n  \
        postback order import orders.jsonl --source shop --dry-run\n\n\
        Columns: order_id, ordered_at (both needed), advertiser_id, amount, currency, updated_at, click_id, status, \
        eligible; other names they may have: `postback network show orders`. The same order in another row or file is \
        a revision, and the newest counts. ordered_at and advertiser_id stay the same in every revision.\n\n\
        Refused lines are listed with the reason. Ctrl-C stops in order; the same command goes on.\n\
        Exit code 3 when lines were refused.")]
    Import(Import),
    /// List the files that were brought in
    Ls,
}

impl Order {
    /// An import stops in order by itself.
    pub(crate) const fn stops_in_order(&self) -> bool {
        matches!(self.command, Command::Import(_))
    }

    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        match &self.command {
            Command::Import(import) => import.run(Subject::Orders, options, console).await,
            Command::Ls => import::list(Subject::Orders, options, console).await,
        }
    }
}
