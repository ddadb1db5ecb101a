//! `postback statement`: networks' statements, to compare conversions with.

use clap::{Args, Subcommand};
use postback_normalise::profile::Subject;

use super::import::{self, Import};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Bring in a network's statements, to compare conversions with
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Statement {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring in a file of a statement
    #[command(after_help = "Examples:\n  \
        postback statement import individual-item-report.csv --source rakuten-items\n  \
        postback statement import 3861234_Dailyu1_20260901.xml --source rakuten-feed --dry-run\n\n\
        Rakuten Advertising: the Individual Item Report with Member ID (u1) as CSV (network rakuten-item-report), and the \
        Signature Reconciliation Feed as XML (network rakuten-signature-feed). A report that overlaps with an earlier one \
        counts once; a transaction of the feed that comes again is a revision.\n\n\
        Refused lines are listed with the reason. Ctrl-C stops in order; the same command goes on.\n\
        Exit code 3 when lines were refused.")]
    Import(Import),
    /// List the files that were brought in
    Ls,
}

impl Statement {
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
            Command::Import(import) => import.run(Subject::Statements, options, console).await,
            Command::Ls => import::list(Subject::Statements, options, console).await,
        }
    }
}
