//! How a command ends.

use std::error::Error;
use std::fmt;
use std::io;

use postback_common::causes::with_causes;
use postback_common::config::ConfigError;

/// It did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing to remark.
    Done,
    /// It ran and found something that a caller may want to act on.
    Found,
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for something that cannot be.
    Usage(String),
    /// There is no usable configuration.
    Config(ConfigError),
    /// As `Config`, and everything about it has been said.
    Refused,
    /// Something outside went wrong.
    Failed(Box<dyn Error + Send + Sync>),
    /// The output cannot be written.
    Output(io::Error),
    /// A person was asked and said no; that nothing was done has been said.
    Declined,
    /// Ctrl-C.
    Interrupted,
}

impl Failure {
    /// Wraps what went wrong outside.
    pub(crate) fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }

    /// The reader of our output has gone: that is its right.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// The whole chain of causes, unless an outer one has told the inner one already.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Config(error) => fmt::Display::fmt(error, f),
            Self::Failed(error) => f.write_str(&with_causes(error.as_ref())),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
            Self::Refused | Self::Declined | Self::Interrupted => Ok(()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
