//! What became of each attempt.

use std::io;
use std::time::{Duration, Instant};

use uuid::Uuid;

/// One request of an [`OpenLoop`](crate::OpenLoop). Times run from [`Ledger::start`].
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// When it was to be sent.
    pub planned: Duration,
    /// When the sender came to it. What lies between is the sender's stall, never the server's.
    pub begun: Duration,
    /// When the socket had taken its last byte; `None`: it never did.
    pub sent: Option<Duration>,
    /// When its outcome was known.
    pub ended: Duration,
    /// For how much of the time from plan to end the sender stood still: [`Self::begun`] minus
    /// [`Self::planned`], and at the end the time for which the sender should have run and did not.
    /// The answer came before or within the latter.
    pub own_stall: Duration,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered {
        /// The status code.
        status: u16,
        /// `x-postback-id`, where there is one.
        id: Option<Uuid>,
    },
    /// It was not.
    Failed(Failure),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Failure {
    /// Nobody listens.
    Refused,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the answer.
    Closed,
    /// No answer within the sender's patience.
    TimedOut,
    /// All connections that the sender may have were busy.
    NoConnection,
    /// What came back is no answer that the sender can read.
    Foreign,
    /// Another error of the operating system.
    Other,
}

impl Failure {
    /// Its name in a report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::TimedOut => "timed_out",
            Self::NoConnection => "no_connection",
            Self::Foreign => "foreign",
            Self::Other => "other",
        }
    }

    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Reset,
            _ => Self::Other,
        }
    }
}

impl Attempt {
    /// From the planned time to the end. Measured from the plan, a server that holds up one request
    /// is seen to hold up those behind it.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.ended.saturating_sub(self.planned)
    }

    /// The latency without what the sender itself stood still.
    #[must_use]
    pub fn without_own_stall(&self) -> Duration {
        self.latency().saturating_sub(self.own_stall)
    }

    /// Whether it was answered with a status from 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self.outcome, Outcome::Answered { status, .. } if (200..300).contains(&status))
    }

    /// The id of an acknowledged request.
    #[must_use]
    pub fn acknowledged(&self) -> Option<Uuid> {
        match self.outcome {
            Outcome::Answered { id, .. } if self.is_success() => id,
            _ => None,
        }
    }
}

/// Every attempt, in the order of their numbers from 0.
#[derive(Debug)]
pub struct Ledger {
    /// The attempts' times run from here.
    pub start: Instant,
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// Most connections that were open at once.
    pub connections: usize,
    /// CPU time of the sending thread.
    pub cpu: Duration,
}
