//! Logs: to stderr, one event a line.

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::warn;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The filter when `RUST_LOG` is not set, or cannot be followed.
pub const DEFAULT_FILTER: &str = "info";

/// What targets of our own, and librdkafka's, begin with.
const TARGETS: [&str; 2] = ["postback", "librdkafka"];

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

/// Logs were already set up.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LogError(#[from] TryInitError);

/// Why `RUST_LOG` is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "RUST_LOG is not followed, \"{DEFAULT_FILTER}\" holds: {0}; write it like \"info\" or \"info,postback_ingest=debug\""
)]
pub struct FilterError(String);

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
/// The filter is `RUST_LOG`, or [`DEFAULT_FILTER`], with a warning, where that cannot be followed;
/// librdkafka's own lines come from `warn` on unless `RUST_LOG` names the target `librdkafka`.
///
/// # Errors
/// [`LogError`] when called twice.
pub fn init(format: Option<LogFormat>) -> Result<Log, LogError> {
    let given = given();
    let (filter, doubt) = match &given {
        Ok(given) => (filter(given), None),
        Err(error) => (filter(""), Some(error)),
    };
    // What can be refused of it has been looked at.
    let filter = EnvFilter::new(filter);
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
    if let Some(error) = doubt {
        warn!("{error}");
    }
    Ok(Log { _writer: guard })
}

/// Why `RUST_LOG` cannot be followed, if it cannot: for those who ask before there is a log.
#[must_use]
pub fn doubt() -> Option<FilterError> {
    given().err()
}

/// `RUST_LOG`; empty where it is not set.
fn given() -> Result<String, FilterError> {
    let given = std::env::var_os("RUST_LOG").unwrap_or_default();
    let given = given.into_string();
    let given = given.map_err(|_| FilterError("it is not UTF-8".to_owned()))?;
    followed(&given)?;
    Ok(given)
}

/// Whether a filter says what somebody can have meant. A word alone that is no level would be a
/// target, and all but that target silent: mostly it is a misspelt level.
fn followed(given: &str) -> Result<(), FilterError> {
    EnvFilter::try_new(filter(given)).map_err(|error| FilterError(error.to_string()))?;
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let is_target = |word: &str| TARGETS.iter().any(|target| word.starts_with(target));
    let parts = given.split(',').map(str::trim);
    let mut words =
        parts.filter(|part| !part.is_empty() && !part.contains(['=', '[', ']', '{', '}']));
    match words.find(|word| !is_level(word) && !is_target(word)) {
        Some(word) => Err(FilterError(format!(
            "{word:?} is no level; a target has its level behind it, as in {word}=debug"
        ))),
        None => Ok(()),
    }
}

/// The filter that holds when `RUST_LOG` is `given`.
fn filter(given: &str) -> String {
    let base = if given.trim().is_empty() {
        DEFAULT_FILTER
    } else {
        given
    };
    let level = |word: &str| word.trim().parse::<LevelFilter>().ok();
    // The last level without a target holds for all others, unless that would tell less.
    let general = base.split(',').filter_map(level).next_back();
    if base.contains("librdkafka") {
        base.to_owned()
    } else {
        let quiet = general.unwrap_or(LevelFilter::WARN).min(LevelFilter::WARN);
        format!("{base},librdkafka={quiet}")
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
        assert_eq!(filter("off"), "off,librdkafka=off");
        assert_eq!(
            filter("postback=debug,error"),
            "postback=debug,error,librdkafka=error"
        );
        assert_eq!(filter("postback=debug"), "postback=debug,librdkafka=warn");
    }

    #[test]
    fn a_filter_that_nobody_can_have_meant_is_not_followed() {
        for good in [
            "",
            " ",
            "info",
            "WARN",
            "3",
            "off",
            "info,postback_ingest=debug",
            "postback_ingest",
            "librdkafka,warn",
            "hyper=trace, info",
            "info,[request{source=shop}]=debug",
        ] {
            assert_eq!(followed(good), Ok(()), "{good:?}");
        }
        for (bad, why) in [
            ("infoo", "\"infoo\" is no level; a target has its level"),
            ("info,hyper", "\"hyper\" is no level"),
            ("postback_ingest=debgu", "error parsing level filter"),
            ("[[[", "invalid filter directive"),
        ] {
            let text = followed(bad).unwrap_err().to_string();
            let begins = format!("RUST_LOG is not followed, \"info\" holds: {why}");
            assert!(text.starts_with(&begins), "{text}");
        }
    }

    #[test]
    fn formats_are_read_as_they_print() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("xml".parse::<LogFormat>(), Err(LogFormatError));
    }
}
