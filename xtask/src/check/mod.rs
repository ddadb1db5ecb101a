//! `cargo xtask check`: everything that can be said about the project without running it.

mod alerts;
mod compose;
mod deny;
mod dependencies;
mod image;
mod imports;
mod paths;
mod text;
mod tracked;
mod units;
mod versions;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use postback_stack::{Cancellation, Needs, StackError};

use crate::project::{Project, run};
use crate::report;

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Repair what can be repaired: formatting, and clippy's suggestions
    #[arg(long)]
    fix: bool,
}

/// What a check works with.
struct Context<'a> {
    project: &'a Project,
    cancellation: &'a Cancellation,
    fix: bool,
}

/// A check passes, perhaps with a remark, or fails.
type Outcome = anyhow::Result<Option<String>>;

/// One check.
type Check = fn(&Context<'_>) -> Outcome;

/// The checks in their order: quick ones first.
const CHECKS: [(&str, Check); 14] = [
    ("format", format),
    ("rust version", versions::check),
    ("text of the files", text::check),
    ("paths named in the docs", paths::check),
    ("directions of imports", imports::check),
    ("dependencies are justified", dependencies::check),
    ("crates in the image", image::check),
    ("docker-compose.yml", compose::check),
    ("systemd units", units::check),
    ("alert rules", alerts::check),
    ("licences, bans, sources", deny::check),
    ("advisories", deny::check_advisories),
    ("clippy", clippy),
    ("documentation", documentation),
];

/// Runs the command.
pub(crate) fn run_command(
    options: Options,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    let needs = Needs {
        build: true,
        compose: true,
    };
    postback_stack::install_packages(needs, cancellation, &report::step)?;
    check(project, options.fix, cancellation)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs every check, one line each, and goes on after a failure.
///
/// # Errors
/// Lists all failures at the end.
pub(crate) fn check(
    project: &Project,
    fix: bool,
    cancellation: &Cancellation,
) -> anyhow::Result<()> {
    let context = Context {
        project,
        cancellation,
        fix,
    };
    let mut failures = Vec::new();
    for (name, check) in CHECKS {
        let started = Instant::now();
        let outcome = check(&context);
        let seconds = started.elapsed().as_secs_f64();
        match outcome {
            Ok(None) => println!("ok    {name} ({seconds:.1} s)"),
            Ok(Some(remark)) => println!("ok    {name} ({seconds:.1} s): {remark}"),
            Err(error) if error.is::<StackError>() && cancellation.is_cancelled() => {
                return Err(error);
            }
            Err(error) => {
                println!("FAIL  {name} ({seconds:.1} s)\n{error:#}");
                failures.push(name);
            }
        }
    }
    if !failures.is_empty() {
        bail!("failed: {}", failures.join(", "));
    }
    Ok(())
}

fn format(context: &Context<'_>) -> Outcome {
    let arguments: &[&str] = if context.fix {
        &["fmt", "--all"]
    } else {
        &["fmt", "--all", "--check"]
    };
    context.project.run_cargo(arguments, context.cancellation)?;
    Ok(None)
}

fn clippy(context: &Context<'_>) -> Outcome {
    let mut arguments = vec![
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--locked",
    ];
    if context.fix {
        arguments.extend(["--fix", "--allow-dirty", "--allow-staged"]);
    }
    arguments.extend(["--", "-D", "warnings"]);
    context
        .project
        .run_cargo(&arguments, context.cancellation)?;
    Ok(None)
}

fn documentation(context: &Context<'_>) -> Outcome {
    let launch = context
        .project
        .cargo(&["doc", "--quiet", "--no-deps", "--workspace", "--locked"])
        .envs([("RUSTDOCFLAGS", "-D warnings")]);
    run("cargo doc", launch, context.cancellation)?;
    Ok(None)
}

/// One error out of many lines; none for no line.
fn fail_with(lines: &[String]) -> anyhow::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    bail!("{}", lines.join("\n"))
}
