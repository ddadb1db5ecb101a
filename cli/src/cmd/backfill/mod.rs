//! `postback backfill`: what a network sent and never arrived, fetched from its API.

mod job;
mod list;
mod meter;
mod outcome;
mod run;

use clap::{Args, Subcommand};

use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Fetch from the network's own API what never arrived
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        postback backfill --source rakuten-us --from yesterday --dry-run\n  \
        postback backfill --source rakuten-us --from 2026-09-01T10:00 --to 2026-09-01T12:30\n  \
        postback backfill ls\n\n\
        A network sends each postback once; for one to two weeks its API still has what was missed.\n\
        Every transaction that the tables do not have, or have with other content or an older time \
        of the network, is sent to Kafka and loaded like a postback. One that was pushed and fetched \
        counts once, so it can be run at any time, and again.\n\n\
        --from and --to go by the time at which the network processed a transaction; ten minutes \
        more are asked for on either side. Needs [source.api] in postback.toml, and transaction ids \
        in the source's template.\n\n\
        Ctrl-C stops in order, a second one at once; the same range goes on where it stopped.\n\
        Exit code 3 when --dry-run finds something. Guide: docs/backfill.md"
)]
pub(crate) struct Backfill {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    wanted: Wanted,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what was fetched: which ranges, and what was missing
    Ls {
        /// Only of this source
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
    },
}

/// Which range of which source.
#[derive(Debug, Args)]
struct Wanted {
    /// The source whose network is asked [default: the only one with a table source.api]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Beginning, inclusive: a date, a time, today, yesterday, 7d or 12h [default: as far back as the network keeps
    /// transactions]
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// End, exclusive, in the same forms [default: now]
    #[arg(long, value_name = "WHEN")]
    to: Option<String>,
    /// List what is missing, with amounts; send nothing
    #[arg(long)]
    dry_run: bool,
}

impl Backfill {
    /// A run stops in order by itself.
    pub(crate) const fn stops_in_order(&self) -> bool {
        self.command.is_none()
    }

    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        match &self.command {
            Some(Command::Ls { source }) => list::run(source.as_deref(), options, console).await,
            None => self.wanted.run(options, console).await,
        }
    }
}
