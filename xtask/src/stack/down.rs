//! Stops the servers.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use postback_stack::Cancellation;
use rustix::process::Signal;

use super::keeper::State;
use crate::report;

/// How long the keeper may take: it gives each server half a minute.
const BOUND: Duration = Duration::from_secs(75);

/// Stops them in order and returns when they are gone; no error when none runs.
///
/// # Errors
/// When they do not stop in time.
pub(super) fn run(directory: &Path, cancellation: &Cancellation) -> anyhow::Result<ExitCode> {
    let Some(state) = State::running(directory)? else {
        report::step(&format!("No servers run in {}.", directory.display()));
        return Ok(ExitCode::SUCCESS);
    };
    state.keeper.signal(Signal::TERM)?;
    let asked = Instant::now();
    while state.keeper.is_running() {
        if asked.elapsed() > BOUND {
            // Its servers die with it.
            state.keeper.signal(Signal::KILL)?;
            bail!(
                "the servers did not stop after {} s and were killed",
                BOUND.as_secs()
            );
        }
        cancellation.sleep(Duration::from_millis(50))?;
    }
    report::step(&format!(
        "Stopped. Their data stays in {}.",
        directory.display()
    ));
    Ok(ExitCode::SUCCESS)
}
