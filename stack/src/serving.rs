//! Waiting until a server that was started really serves.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::cancellation::LOOK;
use crate::{Cancellation, StackError, Supervised};

/// How long a server may take. Seconds are usual; a busy machine may need a minute.
const BOUND: Duration = Duration::from_secs(120);

/// Waits until `probe` succeeds.
///
/// # Errors
/// When the process ends, when it does not serve in time, or when cancelled.
pub(crate) fn wait(
    server: &'static str,
    process: &Supervised,
    log: &Path,
    cancellation: &Cancellation,
    mut probe: impl FnMut() -> Result<(), String>,
) -> Result<(), StackError> {
    let started = Instant::now();
    loop {
        cancellation.check()?;
        let outcome = probe();
        // Looked at after the probe: another server on the same port may have answered it.
        if let Some(status) = process.status() {
            return Err(StackError::Ended {
                server,
                status,
                log: log.to_owned(),
            });
        }
        match outcome {
            Ok(()) => return Ok(()),
            Err(reason) if started.elapsed() > BOUND => {
                let log = log.to_owned();
                return Err(StackError::NotServing {
                    server,
                    waited: BOUND,
                    reason,
                    log,
                });
            }
            Err(_) => cancellation.sleep(LOOK)?,
        }
    }
}
