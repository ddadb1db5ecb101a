//! The wish to stop, as every wait of this crate hears it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::StackError;

/// How often a waiting loop looks whether it should stop.
pub const LOOK: Duration = Duration::from_millis(20);

/// A flag that ends every wait it was given to; its clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct Cancellation {
    cancelled: Arc<AtomicBool>,
}

impl Cancellation {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends all waits, now and later. May be called from any thread, but not from a signal handler
    /// of a library that forbids it.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// # Errors
    /// [`StackError::Cancelled`] once cancelled.
    pub fn check(&self) -> Result<(), StackError> {
        if self.is_cancelled() {
            Err(StackError::Cancelled)
        } else {
            Ok(())
        }
    }

    /// Sleeps, but no longer than until the flag is set.
    ///
    /// # Errors
    /// [`StackError::Cancelled`] when it was set.
    pub fn sleep(&self, duration: Duration) -> Result<(), StackError> {
        let end = Instant::now() + duration;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
        }
    }
}
