//! How a process begins its end: signals, and the exit codes of all binaries.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::supervisor;

/// Cancelled once, when the process is to end. Clone it into every part; wait for it with
/// `cancelled().await`, ask it with `is_cancelled()`.
pub type Shutdown = CancellationToken;

/// What a process tells the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// It did what it was asked to.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// It did what it was asked to and found something, or left something over.
    Found = 3,
    /// A second signal cut the clean end short.
    Interrupted = 130,
}

impl ExitCode {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

/// Returns a token that SIGTERM or SIGINT cancels. A second such signal ends the process at once
/// with [`ExitCode::Interrupted`].
///
/// A supervisor is told before the token is cancelled: however soon the process is at its end then,
/// it has been told.
///
/// Must be called inside a tokio runtime.
///
/// # Errors
/// The operating system's, when the handlers cannot be installed.
pub fn shutdown_on_signal() -> io::Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = Shutdown::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        let name = either(&mut terminate, &mut interrupt).await;
        info!(signal = name, "ending; a second signal ends at once");
        supervisor::tell_stopping();
        token.cancel();
        let name = either(&mut terminate, &mut interrupt).await;
        warn!(signal = name, "second signal: ending at once");
        std::process::exit(ExitCode::Interrupted.code().into());
    });
    Ok(shutdown)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

/// SIGHUP, by which an operator asks to read the configuration again.
#[derive(Debug)]
pub struct Reloads(Signal);

impl Reloads {
    /// Installs the handler; from here on SIGHUP no longer ends the process. Must be called inside
    /// a tokio runtime.
    ///
    /// # Errors
    /// The operating system's, when the handler cannot be installed.
    pub fn listen() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next one. Several signals before a call count as one. Safe to cancel.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // The runtime is going down: nothing will come any more.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        use ExitCode::*;
        let codes = [Done, Failed, Usage, Found, Interrupted].map(ExitCode::code);
        assert_eq!(codes, [0, 1, 2, 3, 130]);
    }
}
