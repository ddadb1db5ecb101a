//! The command line.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Parser;
use postback_common::config::{self, Settings};
use postback_service::lifecycle::ExitCode;
use postback_service::log::LogFormat;
use postback_service::version::VERSION;

/// Answers the postbacks of affiliate networks and hands them to Kafka.
#[derive(Debug, Parser)]
#[command(name = "postback-ingest", version = VERSION)]
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
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] when it is refused; everything that is wrong then stands on stderr.
    pub fn load(&self) -> Result<Settings, ExitCode> {
        config::load(&self.config).map_err(|error| {
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

/// Says to stderr why the program ends. There is nobody to tell when that fails.
pub(crate) fn complain(error: &impl Display) {
    drop(writeln!(io::stderr(), "{error}"));
}
