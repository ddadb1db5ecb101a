//! Waiting for a condition, never for a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take before the test has failed: generous, because the machine may be slow
/// and loaded.
pub const LIMIT: Duration = Duration::from_secs(120);

/// How often the condition is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until `look` gives something.
///
/// # Panics
/// After [`LIMIT`], naming what was waited for.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {LIMIT:?} in vain: {what}");
        sleep(LOOK);
    }
}

/// Waits until `look` says yes.
///
/// # Panics
/// After [`LIMIT`].
pub fn until_true(what: &str, mut look: impl FnMut() -> bool) {
    until(what, || look().then_some(()));
}
