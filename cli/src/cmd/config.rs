//! `postback config`: is the configuration good, and what is in force?

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use jiff::Zoned;
use jiff::tz::TimeZone;
use postback_common::config::{self as settings, ConfigError, Draft, Fault, Settings};
use postback_normalise::Configured;
use postback_service::kafka::{Clients, refused_options};
use postback_store::retention::Horizon;
use serde_json::Value;

use super::{Loaded, configured};
use crate::arguments::{Form, Options};
use crate::console::{Console, Tone};
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, plural, text};

/// Check the configuration, or show what is in force
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check everything and list every fault with its remedy
    #[command(after_help = "Example: postback -c /etc/postback.toml config check\n\
                            Exit code 2 when something is refused. Only files are read; `postback doctor` asks the servers.")]
    Check,
    /// Print the effective settings as TOML, defaults and environment included, secrets hidden
    #[command(
        after_help = "Example: POSTBACK__KAFKA__TOPIC=test postback config show\n\
                            Exit code 2, and nothing is printed, when `postback config check` would refuse something."
    )]
    Show,
}

impl Config {
    pub(crate) fn run(&self, options: &Options, console: &mut Console) -> Result<Ending, Failure> {
        match self.command {
            Command::Check => check(options, console),
            Command::Show => show(options, console),
        }
    }
}

fn check(options: &Options, console: &mut Console) -> Result<Ending, Failure> {
    let file = options.config.display().to_string();
    let mut sheet = Sheet::new(&[
        text("code", "Code"),
        text("key", "Key"),
        text("value", "Value"),
        text("problem", "Problem"),
        text("remedy", "Remedy"),
    ]);
    sheet.fact("file", file.as_str());
    match tried(options, console) {
        Ok(Loaded {
            settings,
            configured,
        }) => {
            let sources = settings.sources.len();
            let sources = plural(sources, "source");
            sheet.fact("good", true);
            sheet.notes = vec![format!(
                "{} {file} is good: {sources}, topic {}, database {}",
                Tone::Good.paint("✓"),
                settings.kafka.topic,
                settings.clickhouse.database,
            )];
            sheet.notes.extend(retention(&settings));
            sheet.write(options, console)?;
            for (source, note) in configured.notes() {
                console.warn(format_args!("source {source}: {note}"));
            }
            Ok(Ending::Done)
        }
        Err(Failure::Config(ConfigError::Refused { faults, .. }))
            if options.output != Form::Table =>
        {
            sheet.fact("good", false);
            sheet.rows = faults.iter().map(row).collect();
            sheet.write(options, console)?;
            Err(Failure::Refused)
        }
        Err(failure) => Err(failure),
    }
}

/// The configuration, where librdkafka takes `[kafka.options]`. What is refused by anybody is told
/// together.
///
/// Files are read once: of a pipe, or of a file that is being replaced, a second look finds something
/// else.
fn tried(options: &Options, console: &mut Console) -> Result<Loaded, Failure> {
    let settings = settings::load_checked(&options.config, |draft| {
        let mut faults = refused_options(draft, Clients::All);
        faults.extend(refused_rules(draft));
        faults
    })?;
    configured(settings, options, console)
}

/// What is wrong with the sources' rules. Of those of a source that is refused nothing can be said.
fn refused_rules(draft: Draft<'_>) -> Vec<Fault> {
    if !draft.are_sources_good {
        return Vec::new();
    }
    let rules = Configured::new(&draft.settings.sources, &BTreeMap::new());
    rules.err().unwrap_or_default()
}

/// What `keep_days` means today.
fn retention(settings: &Settings) -> Option<String> {
    let keep_days = settings.clickhouse.keep_days?;
    let today = Zoned::now().with_time_zone(TimeZone::UTC).date();
    let oldest = Horizon::new(today, keep_days).oldest();
    Some(format!(
        "keep_days = {keep_days}: months before {oldest} are dropped; `postback doctor` lists them"
    ))
}

fn row(fault: &Fault) -> Vec<Cell> {
    let value = fault.value.as_ref();
    vec![
        Cell::text(fault.code.as_str()),
        Cell::text(&fault.key),
        value.map_or(Cell::Missing, Cell::text),
        Cell::text(&fault.problem),
        Cell::text(&fault.remedy),
    ]
}

/// Only what librdkafka takes: an option that it does not know may be a misspelt secret, which by its
/// name nobody would hide.
fn show(options: &Options, console: &mut Console) -> Result<Ending, Failure> {
    let Loaded { settings, .. } = tried(options, console)?;
    let effective = settings.to_toml().map_err(Failure::failed)?;
    if options.output == Form::Table {
        use std::io::Write as _;
        write!(console.out(), "{effective}")?;
        return Ok(Ending::Done);
    }
    let mut sheet = Sheet::new(&[text("key", "Key"), text("value", "Value")]);
    sheet.fact("file", options.config.display().to_string());
    let value = serde_json::to_value(&settings).map_err(Failure::failed)?;
    flatten("", &value, &mut sheet.rows);
    sheet.write(options, console)?;
    Ok(Ending::Done)
}

/// One row per setting: `kafka.topic`, `source[rakuten-us].enabled`.
fn flatten(path: &str, value: &Value, rows: &mut Vec<Vec<Cell>>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{name}"), value, rows);
            }
        }
        Value::Array(items) if items.iter().all(Value::is_object) && !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                let name = item.get("name").and_then(Value::as_str);
                let called = name.map_or_else(|| index.to_string(), str::to_owned);
                flatten(&format!("{path}[{called}]"), item, rows);
            }
        }
        Value::String(value) => rows.push(vec![Cell::text(path), Cell::text(value)]),
        value => rows.push(vec![Cell::text(path), Cell::Nested(value.clone())]),
    }
}
