//! What the services' command lines share, and the way from there to the end of the process.

use std::fmt::Display;
use std::future::Future;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use postback_common::config::{self, ConfigError, Settings};

use crate::lifecycle::ExitCode;
use crate::log::{self, LogFormat};

/// Options of every service.
#[derive(Debug, Args)]
pub struct Options {
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

impl Options {
    /// Reads the configuration by `read`, which may check more than the file alone can tell.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] when it is refused; everything that is wrong then stands on stderr.
    pub fn load<T>(
        &self,
        read: impl FnOnce(&Path) -> Result<T, ConfigError>,
    ) -> Result<T, ExitCode> {
        read(&self.config).map_err(|error| {
            complain(&error);
            ExitCode::Usage
        })
    }

    /// Prints the effective settings as TOML to stdout, and to stderr when the log would be another
    /// one than was asked for.
    #[must_use]
    pub fn print(&self, settings: &Settings) -> ExitCode {
        if let Some(doubt) = log::doubt() {
            complain(&format_args!("warning: {doubt}"));
        }
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

    /// Runs a service to its end on a runtime with one worker per core, and says to stderr why it
    /// could not; `code` tells its errors apart. The service itself says how it ended.
    #[must_use]
    pub fn run<E: Display + From<io::Error>>(
        &self,
        service: impl Future<Output = Result<ExitCode, E>>,
        code: impl FnOnce(&E) -> ExitCode,
    ) -> ExitCode {
        let log = match log::init(self.log_format) {
            Ok(log) => log,
            Err(error) => {
                complain(&error);
                return ExitCode::Usage;
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let ended = runtime.map_err(E::from).and_then(|runtime| {
            let ended = runtime.block_on(service);
            // A call of librdkafka may still block a thread; nothing waits for it any more.
            runtime.shutdown_background();
            ended
        });
        // What was logged before comes first.
        drop(log);
        match ended {
            Ok(code) => code,
            Err(error) => {
                complain(&error);
                code(&error)
            }
        }
    }
}

/// Says to stderr why the program ends. There is nobody to tell when that fails.
fn complain(error: &impl Display) {
    drop(writeln!(io::stderr(), "{error}"));
}
