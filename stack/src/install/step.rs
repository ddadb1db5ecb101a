//! Commands of the set-up: each is announced, shows that it goes on, and ends when cancelled.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::{Cancellation, Launch, StackError};

/// How often a long step says that it goes on.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long a package manager may take to stop in order.
const GRACE: Duration = Duration::from_secs(20);

/// What every step needs.
pub(super) struct Steps<'a> {
    /// Ends a running step.
    pub(super) cancellation: &'a Cancellation,
    /// Gets a line for each step, and while it goes on.
    pub(super) report: &'a dyn Fn(&str),
}

impl Steps<'_> {
    /// Runs a command to its end with its output in `log`.
    ///
    /// # Errors
    /// When it ends with another status than 0.
    pub(super) fn run(&self, what: &str, launch: Launch, log: &Path) -> Result<(), StackError> {
        self.cancellation.check()?;
        (self.report)(what);
        let started = Instant::now();
        let mut next = HEARTBEAT;
        let process = launch.log(log).spawn()?;
        let status = loop {
            if let Some(status) = process.wait_for(crate::cancellation::LOOK) {
                break status;
            }
            if self.cancellation.is_cancelled() {
                process.stop(GRACE);
                return Err(StackError::Cancelled);
            }
            if started.elapsed() > next {
                (self.report)(&format!("  … {} s", next.as_secs()));
                next += HEARTBEAT;
            }
        };
        if status.success() {
            return Ok(());
        }
        Err(StackError::CommandFailed {
            what: what.to_owned(),
            status,
            log: log.to_owned(),
        })
    }
}
