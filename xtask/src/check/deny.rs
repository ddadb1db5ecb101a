//! cargo-deny: licences, bans, sources, advisories.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use postback_stack::Launch;
use postback_stack::install::cache_directory;

use super::{Context, Outcome};
use crate::project::run;
use crate::report;

/// The version that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

/// How long fetching the advisory database may take.
const FETCH: Duration = Duration::from_secs(60);

/// How long a tool may take to stop.
const GRACE: Duration = Duration::from_secs(5);

pub(super) fn check(context: &Context<'_>) -> Outcome {
    let deny = find(context)?;
    let checks = [
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ];
    let launch = Launch::new(deny)
        .args(checks)
        .current_dir(context.project.root());
    run(
        "cargo deny check bans licenses sources",
        launch,
        context.cancellation,
    )?;
    Ok(None)
}

/// Holds the dependencies against the advisory database, where that can be had.
pub(super) fn check_advisories(context: &Context<'_>) -> Outcome {
    let deny = find(context)?;
    let root = context.project.root();
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("fetch.log");
    let fetch = Launch::new(&deny)
        .args(["fetch", "db"])
        .current_dir(root)
        .log(&log)
        .spawn()?;
    let fetched = fetch.wait_for(FETCH);
    context.cancellation.check()?;
    if !fetched.is_some_and(|status| status.success()) {
        fetch.stop(GRACE);
        return Ok(Some(
            "SKIPPED, the advisory database cannot be reached from here".to_owned(),
        ));
    }
    let launch = Launch::new(deny)
        .args([
            "check",
            "--hide-inclusion-graph",
            "--disable-fetch",
            "advisories",
        ])
        .current_dir(root);
    run("cargo deny check advisories", launch, context.cancellation)?;
    Ok(None)
}

/// cargo-deny in this version; built into the cache directory if it is not there.
fn find(context: &Context<'_>) -> anyhow::Result<PathBuf> {
    let tools = cache_directory()?.join("tools");
    let deny = tools.join("bin/cargo-deny");
    if version_of(&deny).as_deref() == Some(VERSION) {
        return Ok(deny);
    }
    report::step(&format!(
        "Building cargo-deny {VERSION}: some minutes, once"
    ));
    let Some(root) = tools.to_str() else {
        bail!("{} is not UTF-8", tools.display())
    };
    let wanted = format!("cargo-deny@{VERSION}");
    context.project.run_cargo(
        &[
            "install", "--quiet", "--locked", "--force", &wanted, "--root", root,
        ],
        context.cancellation,
    )?;
    Ok(deny)
}

/// What `cargo-deny --version` says: `cargo-deny 0.20.2`.
fn version_of(deny: &std::path::Path) -> Option<String> {
    let output = std::process::Command::new(deny)
        .arg("--version")
        .output()
        .ok()?;
    Some(
        String::from_utf8(output.stdout)
            .ok()?
            .split_whitespace()
            .nth(1)?
            .to_owned(),
    )
}
