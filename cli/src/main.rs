//! The `postback` command: what a person asks of a running Postback.
//!
//! Each command is one file in `cmd/`. It returns how it ended or why it failed; only this file
//! turns that into an exit code: 0 done, 1 failed, 2 usage or configuration, 3 ran and found
//! something, 130 interrupted. Data goes to stdout, everything else to stderr.

mod arguments;
mod cmd;
mod consent;
mod console;
mod ending;
mod lag;
mod mark;
mod nearest;
mod output;
mod progress;
mod range;
mod record;
mod replays;
mod servers;
mod tls;

use std::time::Duration;

use arguments::Arguments;
use clap::Parser;
use console::Console;
use ending::{Ending, Failure};
use postback_service::lifecycle::ExitCode;

/// How long an interrupted command's helpers may take to let go of their connections.
const LET_GO: Duration = Duration::from_millis(200);

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let mut console = Console::new(&arguments.options);
    let ended = run(&arguments, &mut console);
    exit_code(ended, &mut console).into()
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let ended = runtime.block_on(async {
        tokio::select! {
            // In this order: from its first step on, a command can be interrupted.
            biased;
            _ = tokio::signal::ctrl_c(), if !arguments.command.stops_in_order() => Err(Failure::Interrupted),
            ended = cmd::run(arguments, console) => ended,
        }
    });
    runtime.shutdown_timeout(LET_GO);
    ended
}

fn exit_code(ended: Result<Ending, Failure>, console: &mut Console) -> ExitCode {
    let failure = match ended.and_then(|ending| console.finish().map(|()| ending)) {
        Ok(Ending::Done) => return ExitCode::Done,
        Ok(Ending::Found) => return ExitCode::Found,
        // `postback … | head` has read what it wanted.
        Err(failure) if failure.is_closed_pipe() => return ExitCode::Done,
        Err(failure) => failure,
    };
    console.failure(&failure);
    match failure {
        Failure::Usage(_) | Failure::Config(_) | Failure::Refused => ExitCode::Usage,
        Failure::Failed(_) | Failure::Output(_) | Failure::Declined => ExitCode::Failed,
        Failure::Interrupted => ExitCode::Interrupted,
    }
}
