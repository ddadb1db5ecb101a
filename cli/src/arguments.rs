//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum};
use jiff::tz::TimeZone;

use crate::cmd;

/// Ask and look after Postback, which receives affiliate networks' postbacks and loses none.
#[derive(Debug, Parser)]
#[command(
    name = "postback",
    version = postback_service::version::VERSION,
    color = asked_color(std::env::args_os().skip(1)),
    after_help = "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 ran and found something, 130 interrupted.",
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for every command")]
pub(crate) struct Options {
    /// The configuration file
    #[arg(short, long, global = true, value_name = "FILE", default_value = postback_common::config::DEFAULT_FILE)]
    pub(crate) config: PathBuf,
    /// Form of the data on stdout
    #[arg(short, long, global = true, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    pub(crate) output: Form,
    /// Say nothing beside the data but warnings and errors
    #[arg(short, long, global = true, action = ArgAction::SetTrue)]
    pub(crate) quiet: bool,
    /// Say also what is being done
    #[arg(short, long, global = true, action = ArgAction::SetTrue, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Colours; auto obeys NO_COLOR and CLICOLOR
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Zone of dates given and shown, an IANA name such as Europe/Berlin
    #[arg(long, global = true, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    pub(crate) time_zone: TimeZone,
}

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people
    Table,
    /// One object: {"meta": …, "rows": […]}; money as strings
    Json,
    /// One row per line; meta goes to stderr
    Jsonl,
    /// RFC 4180 with a heading; meta goes to stderr
    Csv,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// What `--color` says, read before everything else: help and what is said of misspelt arguments are
/// coloured, or not, while the rest is not understood yet.
fn asked_color(arguments: impl Iterator<Item = OsString>) -> ColorChoice {
    let mut choice = ColorChoice::Auto;
    let mut is_next = false;
    for argument in arguments.take_while(|argument| argument != "--") {
        let argument = argument.to_string_lossy();
        let value = match argument.strip_prefix("--color=") {
            Some(value) => value,
            None if is_next => &argument,
            None => "",
        };
        is_next = argument == "--color";
        choice = match Color::from_str(value, false) {
            Ok(Color::Auto) => ColorChoice::Auto,
            Ok(Color::Always) => ColorChoice::Always,
            Ok(Color::Never) => ColorChoice::Never,
            Err(_) => choice,
        };
    }
    choice
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Doctor(cmd::doctor::Doctor),
    Config(cmd::config::Config),
    Migrate(cmd::migrate::Migrate),
    Source(cmd::source::Source),
    Spool(cmd::spool::Spool),
    Replay(cmd::replay::Replay),
    Generation(cmd::generation::Generation),
    Report(cmd::report::Report),
    Query(cmd::query::Query),
    Tail(cmd::tail::Tail),
    Trace(cmd::trace::Trace),
    Verify(cmd::verify::Verify),
    Network(cmd::network::Network),
    Url(cmd::url::Url),
    Send(cmd::send::Send),
    Simulate(cmd::simulate::Simulate),
    Endpoint(cmd::endpoint::Endpoint),
    Order(cmd::order::Order),
    Statement(cmd::statement::Statement),
    Completion(cmd::completion::Completion),
    Watch(cmd::watch::Watch),
    Annotate(cmd::annotate::Annotate),
    Backfill(cmd::backfill::Backfill),
}

impl Command {
    /// Whether it stops in order by itself after Ctrl-C, instead of being dropped where it stands.
    pub(crate) const fn stops_in_order(&self) -> bool {
        match self {
            Self::Spool(spool) => spool.stops_in_order(),
            Self::Order(order) => order.stops_in_order(),
            Self::Statement(statement) => statement.stops_in_order(),
            Self::Endpoint(endpoint) => endpoint.stops_in_order(),
            Self::Simulate(simulate) => simulate.stops_in_order(),
            Self::Watch(watch) => watch.stops_in_order(),
            Self::Backfill(backfill) => backfill.stops_in_order(),
            _ => false,
        }
    }
}

fn zone(name: &str) -> Result<TimeZone, String> {
    postback_common::zone::named(name).map_err(|_| {
        "no IANA time zone has this name; write one such as UTC, Europe/Berlin or America/New_York"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_colour_that_is_asked_for_holds() {
        let asked = |arguments: &str| asked_color(arguments.split(' ').map(OsString::from));
        for (arguments, expected) in [
            ("doctor", ColorChoice::Auto),
            ("--color never doctr", ColorChoice::Never),
            ("doctr --color=always", ColorChoice::Always),
            ("--color=always --color never", ColorChoice::Never),
            ("--color purple", ColorChoice::Auto),
            ("annotate never", ColorChoice::Auto),
            ("annotate -- --color never", ColorChoice::Auto),
            ("--help --color", ColorChoice::Auto),
        ] {
            assert_eq!(asked(arguments), expected, "{arguments}");
        }
    }
}
