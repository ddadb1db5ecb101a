//! Keeps the servers until a signal ends it, or one of them ends.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use postback_stack::{Cancellation, Installation, Stack, StackOptions};

use super::keeper::State;

/// How often the servers are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Starts the servers, tells `started`, and keeps them.
///
/// # Errors
/// When another process keeps this directory, a server does not start or ends by itself.
pub(super) fn run(
    installation: &Installation,
    options: StackOptions,
    directory: &Path,
    cancellation: &Cancellation,
    started: &dyn Fn(&State),
) -> anyhow::Result<ExitCode> {
    let _lock = lock(directory)?;
    let stack = Stack::start(installation, options, cancellation)?;
    let state = State::own(&stack)?;
    state.write(directory)?;
    started(&state);
    let ended = watch(&stack, cancellation);
    stack.stop();
    State::remove(directory)?;
    match ended {
        Some(server) => bail!(
            "{server} ended by itself; see its log in {}",
            directory.display()
        ),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Waits for the wish to stop, or for the end of a server, which it names.
fn watch(stack: &Stack, cancellation: &Cancellation) -> Option<&'static str> {
    loop {
        if cancellation.sleep(LOOK).is_err() {
            return None;
        }
        if !stack.kafka.process().is_running() {
            return Some("Kafka");
        }
        if !stack.clickhouse.process().is_running() {
            return Some("ClickHouse");
        }
    }
}

/// One keeper a directory, for as long as this lives.
fn lock(directory: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let path = directory.join("lock");
    let file = File::options().create(true).append(true).open(&path)?;
    file.try_lock()
        .with_context(|| format!("another `cargo xtask stack` uses {}", directory.display()))?;
    Ok(file)
}
