//! `postback report`: what the postbacks say.

mod activity;
mod amounts;
mod asked;
mod compared;
mod digest;
mod flags;
mod footer;
mod frame;
mod gap;
mod latency;
mod rejects;
mod reversals;
mod sources;
mod summary;
mod unattributed;

use clap::{Args, Subcommand};
pub(super) use gap::{MATURE_AFTER, Sides};
pub(super) use sources::check as check_sources;

use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Stands with all sums, as a note and as the fact `preliminary`.
pub(in crate::cmd) const PRELIMINARY: &str = "preliminary: networks settle by their own statements";

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
    Gap(gap::Gap),
    Unattributed(unattributed::Unattributed),
    Amounts(amounts::Amounts),
    Latency(latency::Latency),
    Reversals(reversals::Reversals),
    Rejects(rejects::Rejects),
    Flags(flags::Flags),
    Activity(activity::Activity),
    Digest(digest::Digest),
}

impl Report {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        match &self.command {
            Command::Summary(summary) => Box::pin(summary.run(options, console)).await,
            Command::Gap(gap) => Box::pin(gap.run(options, console)).await,
            Command::Unattributed(unattributed) => {
                Box::pin(unattributed.run(options, console)).await
            }
            Command::Amounts(amounts) => Box::pin(amounts.run(options, console)).await,
            Command::Latency(latency) => Box::pin(latency.run(options, console)).await,
            Command::Reversals(reversals) => Box::pin(reversals.run(options, console)).await,
            Command::Rejects(rejects) => Box::pin(rejects.run(options, console)).await,
            Command::Flags(flags) => Box::pin(flags.run(options, console)).await,
            Command::Activity(activity) => Box::pin(activity.run(options, console)).await,
            Command::Digest(digest) => Box::pin(digest.run(options, console)).await,
        }
    }
}
