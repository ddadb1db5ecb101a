//! `cargo xtask test`: all the set-up, every check, every test, and the demo as a test.

mod leaks;
mod suite;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use postback_stack::{Cancellation, Needs, StackError};

use crate::project::Project;
use crate::servers::Servers;
use crate::{check, demo, report};
use suite::Counts;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Run only the tests whose names hold this, and neither checks nor demo
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

/// What the run consists of; each part is tried whatever became of the others.
struct Run<'a> {
    project: &'a Project,
    cancellation: &'a Cancellation,
    failures: Vec<String>,
}

impl Run<'_> {
    /// Notes a failure of a part and goes on; an interruption ends the run.
    fn note(&mut self, part: &str, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
        self.cancellation.check()?;
        if let Err(error) = outcome {
            if error.is::<StackError>() && self.cancellation.is_cancelled() {
                return Err(error);
            }
            report::step(&format!("FAILED {part}: {error:#}"));
            self.failures.push(part.to_owned());
        }
        Ok(())
    }
}

/// Runs the command.
///
/// # Errors
/// When anything fails; the closing lines say what.
pub(crate) fn run(
    options: &Options,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let needs = Needs {
        build: true,
        compose: true,
    };
    let installation = project.set_up(needs, cancellation)?;
    report::step("Building everything");
    project.run_cargo(
        &["build", "--workspace", "--all-targets", "--locked"],
        cancellation,
    )?;

    let mut run = Run {
        project,
        cancellation,
        failures: Vec::new(),
    };
    if options.filter.is_none() {
        report::step("Checking");
        run.note("check", check::check(project, false, cancellation))?;
    }

    let logs = fresh_logs(&project.target().join("test-logs"))?;
    let data = tempfile::Builder::new()
        .prefix("postback-test-")
        .tempdir()?;
    let servers = match Servers::given()? {
        Some(servers) => {
            report::step("Using the servers that the environment names");
            servers
        }
        None => Servers::start(&installation, data.path(), cancellation)?,
    };
    report::step("Testing");
    let (mut counts, succeeded) = suite::run(
        options.filter.as_deref(),
        project,
        &servers,
        &logs,
        cancellation,
    )?;
    if !succeeded {
        run.failures.push("cargo test".to_owned());
    }
    servers.stop();
    run.note("secrets in logs", leaks::check(&[&logs, data.path()]))?;
    drop(servers);

    if options.filter.is_none() {
        report::step("Running the demo as a test");
        let outcome = demo::run_as_test(project, cancellation);
        counts.add_one(outcome.is_ok());
        run.note("demo", outcome)?;
    }
    conclude(&run, counts, &logs)
}

/// An empty directory of this run's own; those of runs that have ended are removed.
fn fresh_logs(parent: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(parent)?;
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        let runs = Path::new("/proc").join(entry.file_name()).exists();
        if !runs {
            std::fs::remove_dir_all(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    let own = parent.join(std::process::id().to_string());
    std::fs::create_dir_all(&own)?;
    Ok(own)
}

/// The closing lines: what failed, where the logs are, and how many tests there were.
fn conclude(run: &Run<'_>, counts: Counts, logs: &Path) -> anyhow::Result<ExitCode> {
    let relative = logs.strip_prefix(run.project.root()).unwrap_or(logs);
    println!("\nlogs of all processes: {}", relative.display());
    for failure in &run.failures {
        println!("failed: {failure}");
    }
    println!("{counts}");
    if !run.failures.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    if counts.passed == 0 {
        bail!("no test ran");
    }
    Ok(ExitCode::SUCCESS)
}
