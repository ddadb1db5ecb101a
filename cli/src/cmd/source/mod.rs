//! `postback source`: the registered URLs, what their parameters mean, and new keys.

mod key;
mod list;
mod show;

use clap::{Args, Subcommand};
use postback_common::config::{Settings, SourceSettings};

use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// List the sources, show how one is read, or make a URL key
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Source {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the sources of the configuration
    #[command(after_help = "Example: postback source ls -o csv")]
    Ls,
    /// Show what each parameter of a source's URL means
    #[command(after_help = "Example: postback source show rakuten-us")]
    Show {
        /// As in the configuration
        name: String,
    },
    /// Make URL keys
    #[command(
        subcommand,
        arg_required_else_help = true,
        disable_help_subcommand = true
    )]
    Key(KeyCommand),
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a URL key of 256 random bits and print it once
    #[command(after_help = "Example: postback source key new --name k2\n\
                            The key is stored nowhere: the configuration takes its hash, the network the URL.")]
    New(key::New),
}

impl Source {
    pub(crate) fn run(&self, options: &Options, console: &mut Console) -> Result<Ending, Failure> {
        match &self.command {
            Command::Ls => list::run(options, console),
            Command::Show { name } => show::run(name, options, console),
            Command::Key(KeyCommand::New(new)) => new.run(options, console),
        }
    }
}

/// The source of that name, or words that help to find it.
pub(crate) fn find<'a>(name: &str, settings: &'a Settings) -> Result<&'a SourceSettings, Failure> {
    let found = settings
        .sources
        .iter()
        .find(|source| source.name.as_str() == name);
    found.ok_or_else(|| unknown(name, settings))
}

pub(crate) fn unknown(name: &str, settings: &Settings) -> Failure {
    let names: Vec<&str> = settings
        .sources
        .iter()
        .map(|source| source.name.as_str())
        .collect();
    let distance = |other: &&&str| strsim::damerau_levenshtein(name, other);
    let near = names
        .iter()
        .min_by_key(distance)
        .filter(|near| distance(near) <= 1 + name.len() / 3);
    let remedy = match near {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => "the configuration has no [[source]] yet".to_owned(),
        None => format!("there are: {}", names.join(", ")),
    };
    Failure::Usage(format!("no source is called {name:?}\n  {remedy}"))
}
