//! Starts the servers, in the background or in the foreground.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use postback_stack::{Cancellation, Needs, StackError, port};
use rustix::process::{Pid, Signal, kill_process};

use super::keeper::State;
use super::{Options, keep};
use crate::project::Project;
use crate::report;

/// The keeper's own output in the data directory.
const KEEPER_LOG: &str = "keeper.log";

/// Starts them unless they run already, and prints the environment.
///
/// # Errors
/// When a port is taken or a server does not start.
pub(super) fn run(
    options: &Options,
    foreground: bool,
    directory: &Path,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    if let Some(state) = State::running(directory)? {
        report::step("The servers run already.");
        state.print_exports();
        return Ok(ExitCode::SUCCESS);
    }
    check_ports(options)?;
    // Who wants the servers alone is about to build what uses them.
    let installation = project.set_up(Needs::BUILD, cancellation)?;
    report::step("Starting Kafka and ClickHouse");
    if foreground {
        let started = |state: &State| {
            state.print_exports();
            report::step("Ctrl-C stops them.");
        };
        let stack = options.stack(directory);
        keep::run(&installation, stack, directory, cancellation, &started)?;
        return Err(StackError::Cancelled.into());
    }
    let state = start_keeper(options, directory, cancellation)?;
    state.print_exports();
    report::step("They run in the background until `cargo xtask stack down`.");
    Ok(ExitCode::SUCCESS)
}

fn check_ports(options: &Options) -> anyhow::Result<()> {
    for (option, port) in options.ports() {
        if !port::is_free(port) {
            bail!("port {port} is taken by another program: choose another one with {option}");
        }
    }
    Ok(())
}

/// Starts the process that keeps the servers, and waits until they serve.
fn start_keeper(
    options: &Options,
    directory: &Path,
    cancellation: &Cancellation,
) -> anyhow::Result<State> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let log = directory.join(KEEPER_LOG);
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut keeper = Command::new(std::env::current_exe()?)
        .args(["stack", "keep"])
        .args(arguments(options, directory))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .context("cannot start the keeper")?;
    let started = await_start(&mut keeper, directory, cancellation);
    if matches!(started, Err(ref error) if error.is::<StackError>()) {
        // Interrupted while it starts: it stops what it has started when it is asked to.
        stop(&mut keeper)?;
    }
    started.with_context(|| {
        std::fs::read_to_string(&log)
            .unwrap_or_default()
            .trim()
            .to_owned()
    })
}

fn arguments(options: &Options, directory: &Path) -> Vec<OsString> {
    let mut arguments = vec!["--data-dir".into(), directory.as_os_str().to_owned()];
    for (option, port) in options.ports() {
        arguments.extend([option.into(), port.to_string().into()]);
    }
    arguments
}

fn await_start(
    keeper: &mut Child,
    directory: &Path,
    cancellation: &Cancellation,
) -> anyhow::Result<State> {
    loop {
        if let Some(state) = State::running(directory)? {
            return Ok(state);
        }
        if let Some(status) = keeper.try_wait()? {
            bail!("the servers did not start ({status})");
        }
        cancellation.sleep(Duration::from_millis(50))?;
    }
}

fn stop(keeper: &mut Child) -> anyhow::Result<()> {
    if let Some(pid) = Pid::from_raw(i32::try_from(keeper.id())?) {
        // It is our child and not waited for yet, so the id is its own.
        kill_process(pid, Signal::TERM)?;
    }
    keeper.wait()?;
    Ok(())
}
