//! `cargo test` of the whole workspace on given servers.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use postback_stack::process::DIE_WITH_PARENT;
use postback_stack::{Cancellation, StackError, Supervised};

use crate::project::{Project, host};
use crate::servers::Servers;

/// How long cargo may take to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How often new output is shown.
const LOOK: Duration = Duration::from_millis(100);

/// How many tests went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Counts {
    /// Counts one more test.
    pub(super) fn add_one(&mut self, passed: bool) {
        self.passed += u64::from(passed);
        self.failed += u64::from(!passed);
    }

    /// Adds up the closing lines of all test binaries:
    /// `test result: ok. 11 passed; 0 failed; 1 ignored; …`.
    fn read(output: &str) -> Self {
        let mut counts = Self::default();
        for line in output
            .lines()
            .filter_map(|line| line.strip_prefix("test result: "))
        {
            let number = |what: &str| {
                let before = line.split_once(what).map_or("", |(before, _)| before);
                before
                    .trim_end()
                    .rsplit(' ')
                    .next()
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(0)
            };
            counts.passed += number(" passed");
            counts.failed += number(" failed");
            counts.skipped += number(" ignored");
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(
            formatter,
            "{passed} passed, {failed} failed, {skipped} skipped"
        )
    }
}

/// Runs the tests, shows their output and keeps it among the logs. Returns how many tests went
/// which way, and whether cargo is content: a test that does not build is not counted.
///
/// # Errors
/// When cargo cannot be run, or when cancelled.
pub(super) fn run(
    filter: Option<&str>,
    project: &Project,
    servers: &Servers,
    logs: &Path,
    cancellation: &Cancellation,
) -> anyhow::Result<(Counts, bool)> {
    let mut arguments = vec!["test", "--workspace", "--locked", "--no-fail-fast"];
    arguments.extend(filter);
    let log = logs.join("cargo-test.log");
    let process = project
        .cargo(&arguments)
        .envs(servers.environment())
        .envs([("POSTBACK_TEST_LOG_DIR", logs)])
        // A killed run takes its test binaries with it, and these their servers and programs.
        .envs([(runner_variable()?, DIE_WITH_PARENT.join(" "))])
        .log(&log)
        .spawn()?;
    let succeeded = follow(&process, &log, cancellation)?;
    Ok((Counts::read(&std::fs::read_to_string(&log)?), succeeded))
}

/// `CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER` or its like: what cargo runs tests with.
fn runner_variable() -> anyhow::Result<String> {
    let host = host()?.to_uppercase().replace('-', "_");
    Ok(format!("CARGO_TARGET_{host}_RUNNER"))
}

/// Shows what is added to the log until the process ends; whether it succeeded.
fn follow(process: &Supervised, log: &Path, cancellation: &Cancellation) -> anyhow::Result<bool> {
    let mut file = File::open(log)?;
    loop {
        let ended = process.wait_for(LOOK);
        let mut added = Vec::new();
        file.read_to_end(&mut added)?;
        std::io::stdout().write_all(&added)?;
        if let Some(status) = ended {
            return Ok(status.success());
        }
        if cancellation.is_cancelled() {
            process.stop(GRACE);
            return Err(StackError::Cancelled.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_the_closing_lines() {
        let output = "running 2 tests\n\
            test result: ok. 11 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out\n\
            test result: FAILED. 9 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let counts = Counts::read(output);
        assert_eq!(
            counts,
            Counts {
                passed: 20,
                failed: 2,
                skipped: 1
            }
        );
        assert_eq!(counts.to_string(), "20 passed, 2 failed, 1 skipped");
    }
}
