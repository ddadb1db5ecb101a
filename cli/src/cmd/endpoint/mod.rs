//! `postback endpoint`: the URL that a source's network sends to, as the network has it.

mod address;
mod change;
mod get;
mod hand;
mod plan;
mod shown;
mod site;
mod wanted;

use std::future::Future;

use clap::{Args, Subcommand};

use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
pub(super) use address::Address;
use change::Asking;
use plan::Intent;
pub(super) use site::explained;

/// Look after the URL that a network sends to, by the network's own API
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "The API is configured in [source.api]: docs/endpoint.md. What it answers: docs/rakuten-errors.md.\n\
        URL keys are compared and never shown."
)]
pub(crate) struct Endpoint {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what is registered, whether it is on, and whether it is the source's template
    #[command(
        after_help = "Example: postback endpoint get --source rakuten-us -o json\n\
        Exit code 3 when none is registered, it is off, or its URL is not that of the newest template."
    )]
    Get(Whose),
    /// Register the URL of the source's newest template, or another one
    #[command(after_help = "Examples:\n  \
        postback endpoint set --source rakuten-us --key-file url-key --dry-run\n  \
        postback endpoint set --source rakuten-us --url - --yes < url.txt\n\n\
        The URL is checked as `postback url check` does; an error refuses it. What is registered is \
        shown against what will be, and the change is asked for. An endpoint that is off stays off.\n\
        The change leaves a mark: `postback annotate ls`.")]
    Set {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        url: wanted::UrlOption,
        #[command(flatten)]
        asking: Asking,
    },
    /// Have the network send again
    #[command(after_help = "Example: postback endpoint enable --source rakuten-us\n\
        Find out first why the network switched it off: postback send, postback report activity.")]
    Enable(Change),
    /// Have the network send nothing, until it is enabled
    #[command(
        after_help = "Example: postback endpoint disable --source rakuten-us\n\
        What happens meanwhile is never sent: only the network's Events API has it, for one to two weeks.\n\
        With reenable = true it is refused while ClickHouse, which notes it, is away."
    )]
    Disable(Change),
    /// Have the network forget the URL
    #[command(after_help = "Example: postback endpoint delete --source rakuten-us\n\
        What happens from then on is never sent: only the network's Events API has it, for a week or \
        two.")]
    Delete(Change),
}

/// Whose endpoint.
#[derive(Debug, Args)]
struct Whose {
    /// The source, as in the configuration
    #[arg(long, value_name = "NAME")]
    source: String,
}

#[derive(Debug, Args)]
struct Change {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    asking: Asking,
}

impl Endpoint {
    /// A change says what became of it.
    pub(crate) const fn stops_in_order(&self) -> bool {
        !matches!(self.command, Command::Get(_))
    }

    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let (change, intent) = match &self.command {
            Command::Get(whose) => return get::run(&whose.source, options, console).await,
            Command::Set { whose, url, asking } => ((whose, asking), Intent::Set(url)),
            Command::Enable(change) => (change.parts(), Intent::Switch(true)),
            Command::Disable(change) => (change.parts(), Intent::Switch(false)),
            Command::Delete(change) => (change.parts(), Intent::Delete),
        };
        let (whose, asking) = change;
        Box::pin(intent.run(&whose.source, asking, options, console)).await
    }
}

impl Change {
    const fn parts(&self) -> (&Whose, &Asking) {
        (&self.whose, &self.asking)
    }
}

/// Does the work unless Ctrl-C comes first.
async fn until_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
        done = work => done,
    }
}
