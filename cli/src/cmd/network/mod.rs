//! `postback network`: what is known of the networks, and how well.

mod check;
mod show;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use postback_normalise::profile::{self, Confidence, Profile};

use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, text};

/// List the networks, show what is known of one, or check a profile of your own
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Network {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the networks whose profiles are built in
    #[command(after_help = "Example: postback network ls -o csv")]
    Ls,
    /// Show a network's parameters, the columns they fill, and how well each is known
    #[command(after_help = "Example: postback network show impact")]
    Show {
        /// As `network ls` lists it
        name: String,
    },
    /// List everything that is wrong with a profile's file
    #[command(
        after_help = "Example: postback network check schemas/networks/awin.toml\n\n\
        Exit code 2 when something is wrong."
    )]
    Check {
        /// The TOML file
        file: PathBuf,
    },
}

impl Network {
    pub(crate) fn run(&self, options: &Options, console: &mut Console) -> Result<Ending, Failure> {
        match &self.command {
            Command::Ls => list(options, console),
            Command::Show { name } => {
                show::sheet(&*find(name)?).write(options, console)?;
                Ok(Ending::Done)
            }
            Command::Check { file } => check::run(file, options, console),
        }
    }
}

fn list(options: &Options, console: &mut Console) -> Result<Ending, Failure> {
    let mut sheet = Sheet::new(&[
        text("network", "Network"),
        text("title", "Title"),
        text("methods", "Methods"),
        text("macro", "Macro"),
        number("parameters", "Parameters"),
        text("confidence", "Confidence"),
        number("third_party", "Third party"),
        number("unverified", "Unverified"),
    ]);
    sheet.rows = profile::all().iter().map(|profile| row(profile)).collect();
    sheet.notes = vec![
        "Confidence is that of the least known fact; then how many facts are known no better.".to_owned(),
        "verified: seen in the network's own pages or in a real request; third_party: from somebody else's".to_owned(),
        "description; unverified: compare it with the network's pages before relying on it (`network show`).".to_owned(),
    ];
    sheet.write(options, console)?;
    Ok(Ending::Done)
}

fn row(profile: &Profile) -> Vec<Cell> {
    let facts =
        |of: Confidence| profile.facts().filter(|fact| fact.confidence == of).count() as u64;
    vec![
        Cell::text(profile.network.as_str()),
        Cell::text(&profile.title),
        Cell::List(
            profile
                .methods
                .iter()
                .map(|method| method.as_str().to_owned())
                .collect(),
        ),
        Cell::Text(profile.macro_style.write("name")),
        Cell::Count(profile.parameters.len() as u64),
        Cell::text(profile.confidence().as_str()),
        Cell::Count(facts(Confidence::ThirdParty)),
        Cell::Count(facts(Confidence::Unverified)),
    ]
}

/// The network of that name, or words that help to find it.
pub(crate) fn find(name: &str) -> Result<Arc<Profile>, Failure> {
    profile::builtin(name).map(Arc::clone).ok_or_else(|| {
        let names: Vec<&str> = profile::all()
            .iter()
            .map(|known| known.network.as_str())
            .collect();
        let remedy = super::url::nearest(name, names.iter().copied()).map_or_else(
            || format!("there are: {}", names.join(", ")),
            |near| format!("did you mean {near}?"),
        );
        Failure::Usage(format!("no network is called {name:?}\n  {remedy}"))
    })
}
