//! What can go wrong, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// How many lines of a server's log an error shows.
const TAIL_LINES: usize = 15;

/// Why something could not be installed, started or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// Debian packages are missing and this process may not install them.
    #[error(
        "missing on this machine: {}\n\
         Only root may install packages. Run this, then try again:\n  {command}",
        packages.join(" ")
    )]
    MissingPackages {
        /// Names of the Debian packages.
        packages: Vec<String>,
        /// The command that installs them.
        command: String,
    },
    /// There is no build of a server for this kind of machine.
    #[error(
        "{server} cannot be installed on {machine}: only Linux on x86_64 is supported. \
         Set POSTBACK__KAFKA__BROKERS and POSTBACK__CLICKHOUSE__URL to use servers of your own"
    )]
    UnsupportedMachine {
        /// Which server.
        server: &'static str,
        /// Operating system and processor.
        machine: String,
    },
    /// What a package manager delivered is not what this version of the project expects.
    #[error(
        "{what} has the checksum {found} instead of {expected}: it is not installed. \
         Try again; if it stays so, the registry in use serves another file"
    )]
    Integrity {
        /// The package and its version.
        what: String,
        /// What was expected.
        expected: String,
        /// What came.
        found: String,
    },
    /// A command of the set-up ended with an error.
    #[error("{what} failed ({status}); the end of {}:\n{}", log.display(), tail(log))]
    CommandFailed {
        /// What the command was to do.
        what: String,
        /// How it ended.
        status: ExitStatus,
        /// Where its output is.
        log: PathBuf,
    },
    /// A server ended although nobody asked it to.
    #[error("{server} ended at its start ({status}); the end of {}:\n{}", log.display(), tail(log))]
    Ended {
        /// Which server.
        server: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
    },
    /// A server runs but does not serve in time.
    #[error(
        "{server} does not serve after {} s: {reason}; the end of {}:\n{}",
        waited.as_secs(), log.display(), tail(log)
    )]
    NotServing {
        /// Which server.
        server: &'static str,
        /// How long was waited.
        waited: Duration,
        /// What the last try said.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
    /// A port that was asked for by number is in use.
    #[error("port {port} for {purpose} is taken by another program: choose another one")]
    PortTaken {
        /// The port on 127.0.0.1.
        port: u16,
        /// What it was meant for.
        purpose: &'static str,
    },
    /// The program that holds ClickHouse was not built.
    #[error(
        "the program clickhouse-host is not at {}: build it with \
         `cargo build --package postback-stack --bin clickhouse-host`",
        looked_at.display()
    )]
    NoClickHouseHost {
        /// Where it was expected.
        looked_at: PathBuf,
    },
    /// ClickHouse answered a query with an error, or not at all.
    #[error("ClickHouse at {url}: {message}")]
    Query {
        /// The server's address.
        url: String,
        /// What it said.
        message: String,
    },
    /// A file, a directory or a process could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// A verb: what was tried.
        action: &'static str,
        /// With which file or program.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The cache directory is unknown.
    #[error("neither XDG_CACHE_HOME nor HOME is set: there is no place to install the servers to")]
    NoCacheDirectory,
    /// The caller's [`Cancellation`](crate::Cancellation) ended it.
    #[error("interrupted")]
    Cancelled,
}

impl StackError {
    /// For `map_err`: what was tried, and with which path.
    pub(crate) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// The last lines of a log, indented; empty when it cannot be read.
fn tail(log: &Path) -> String {
    let Ok(bytes) = std::fs::read(log) else {
        return String::new();
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines[from..]
        .iter()
        .map(|line| format!("  {line}\n"))
        .collect::<String>()
        .trim_end()
        .to_owned()
}
