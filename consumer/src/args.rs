//! The command line.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Parser;
use postback_common::config::{self, ConfigError, Settings};
use postback_normalise::Configured;
use postback_service::lifecycle::ExitCode;
use postback_service::log::LogFormat;
use postback_service::version::VERSION;

/// Normalises postbacks from Kafka and loads ClickHouse.
#[derive(Debug, Parser)]
#[command(name = "postback-consumer", version = VERSION)]
pub struct Args {
    /// Configuration file
    #[arg(short, long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    pub config: PathBuf,
    /// Print the effective settings, secrets hidden, and exit with 0, or with 2 when something is wrong
    #[arg(long)]
    pub check_config: bool,
    /// Log as "text" or "json" [default: text on a terminal, json otherwise]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

impl Args {
    /// Reads the configuration, and checks that every source has rules.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] when it is refused; everything that is wrong then stands on stderr.
    pub fn load(&self) -> Result<(Settings, Configured), ExitCode> {
        load(&self.config).map_err(|error| {
            complain(&error);
            ExitCode::Usage
        })
    }

    /// Prints the effective settings as TOML to stdout.
    #[must_use]
    pub fn print(&self, settings: &Settings) -> ExitCode {
        let printed = settings
            .to_toml()
            .map_err(io::Error::other)
            .and_then(|toml| io::stdout().write_all(toml.as_bytes()));
        match printed {
            // Whoever closed the pipe has seen what they wanted.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                complain(&error);
                ExitCode::Failed
            }
            _ => ExitCode::Done,
        }
    }
}

/// The settings, and the rules of the sources as far as files can tell: what is fixed for an
/// account stands in the database.
pub(crate) fn load(file: &std::path::Path) -> Result<(Settings, Configured), ConfigError> {
    let settings = config::load(file)?;
    let rules = Configured::new(&settings.sources, &BTreeMap::new())
        .map_err(|faults| ConfigError::refused(file, faults))?;
    Ok((settings, rules))
}

/// Says to stderr why the program ends. There is nobody to tell when that fails.
pub(crate) fn complain(error: &impl Display) {
    drop(writeln!(io::stderr(), "{error}"));
}
