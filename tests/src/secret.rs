//! Secrets that can be found again wherever they leak to.

/// Stands at the beginning of every secret of a test. `cargo xtask test` searches all output of the
/// run for it.
pub const MARK: &str = "canary-";

/// A fresh URL key or password.
///
/// # Panics
/// When the operating system has no randomness.
#[must_use]
pub fn fresh() -> String {
    format!("{MARK}{:016x}{:016x}", random(), random())
}

/// A fresh name that can be a topic and a database.
///
/// # Panics
/// When the operating system has no randomness.
#[must_use]
pub fn fresh_name(test: &str) -> String {
    format!("t_{test}_{:016x}", random())
}

fn random() -> u64 {
    getrandom::u64().expect("the operating system has randomness")
}
