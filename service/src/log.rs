//! Logs: to stderr, one event a line.

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The filter when `RUST_LOG` is not set.
pub const DEFAULT_FILTER: &str = "info";

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// `--log-format` was neither `text` nor `json`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a log format is \"text\" or \"json\"")]
pub struct LogFormatError;

impl LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[must_use]
    pub fn of_stderr() -> Self {
        if io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}

impl FromStr for LogFormat {
    type Err = LogFormatError;

    fn from_str(text: &str) -> Result<Self, LogFormatError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(LogFormatError),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `RUST_LOG` cannot be read.
    #[error("RUST_LOG is no filter: {0}; write it like \"info\" or \"info,postback_ingest=debug\"")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Logs were already set up.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// Lines that wait for a stderr that does not take them; later ones are dropped.
const WAITING_LINES: usize = 8_192;

/// Keeps the log going. Dropped, it writes what still waits, for about a second at most.
#[derive(Debug)]
#[must_use = "without it nothing is logged"]
pub struct Log {
    _writer: WorkerGuard,
}

/// Sends all events of the process to stderr. `None` takes [`LogFormat::of_stderr`].
///
/// A thread of its own writes: a full pipe, or a log on a disk that hangs, must not stop those that
/// answer requests.
///
/// The filter is `RUST_LOG`, or [`DEFAULT_FILTER`]; librdkafka's own lines come from `warn` on
/// unless `RUST_LOG` names the target `librdkafka`.
///
/// # Errors
/// [`LogError`] when `RUST_LOG` is no filter, or when called twice.
pub fn init(format: Option<LogFormat>) -> Result<Log, LogError> {
    let given = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(filter(&given))?;
    let registry = tracing_subscriber::registry().with(filter);
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(io::stderr());
    match format.unwrap_or_else(LogFormat::of_stderr) {
        LogFormat::Text => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_ansi(colours())
                    .with_writer(writer),
            )
            .try_init()?,
        LogFormat::Json => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(writer),
            )
            .try_init()?,
    }
    Ok(Log { _writer: guard })
}

/// The filter that holds when `RUST_LOG` is `given`.
fn filter(given: &str) -> String {
    let base = if given.trim().is_empty() {
        DEFAULT_FILTER
    } else {
        given
    };
    if base.contains("librdkafka") {
        base.to_owned()
    } else {
        format!("{base},librdkafka=warn")
    }
}

/// <https://no-color.org>
fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_is_quiet_unless_named() {
        assert_eq!(filter(""), "info,librdkafka=warn");
        assert_eq!(filter("debug"), "debug,librdkafka=warn");
        assert_eq!(filter("info,librdkafka=debug"), "info,librdkafka=debug");
    }

    #[test]
    fn formats_are_read_as_they_print() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("xml".parse::<LogFormat>(), Err(LogFormatError));
    }
}
