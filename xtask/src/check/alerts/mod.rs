//! Prometheus's alert rules in `deploy/prometheus/`: well-formed, tested, documented, and about
//! metrics that exist.

mod code;
mod coverage;
mod files;

use std::path::Path;

use anyhow::{Context as _, bail};
use postback_stack::Launch;

use super::{Context, Outcome, fail_with, tracked};
use crate::project::run;
use crate::report;
use code::Registered;
use files::{Rules, Tests};

/// Where rules, tests and the operator's page are.
const FOLDER: &str = "deploy/prometheus";
const RULES: &str = "postback.rules.yml";
const TESTS: [&str; 2] = ["postback.rules.test.yml", "postback.rules.days.test.yml"];
const PAGE: &str = "docs/operations.md";

/// Where metrics are registered.
const SERVICES: [&str; 4] = [
    "service/src/",
    "ingest/src/",
    "consumer/src/",
    "cli/src/cmd/watch/",
];

pub(super) fn check(context: &Context<'_>) -> Outcome {
    let root = context.project.root();
    let folder = root.join(FOLDER);
    let promtool = postback_stack::promtool(context.cancellation, &report::step)?;
    let test = [&["test", "rules"], &TESTS[..]].concat();
    for arguments in [&["check", "rules", RULES][..], &test] {
        let what = format!("promtool {}", arguments.join(" "));
        let launch = Launch::new(&promtool).args(arguments).current_dir(&folder);
        run(&what, launch, context.cancellation)?;
    }

    let rules = Rules::read(&read(&folder.join(RULES))?)?;
    let mut tests = Tests::default();
    for file in TESTS {
        tests.add(&read(&folder.join(file))?)?;
    }
    let mut faults = coverage::faults(&rules, &tests);
    faults.extend(coverage::undocumented(&rules, &read(&root.join(PAGE))?));
    faults.extend(registered(root)?.unknown(&rules));
    fail_with(&faults)?;
    let count = rules.alerts().count();
    if count == 0 {
        bail!("{FOLDER}/{RULES} has no alert");
    }
    Ok(Some(format!("{count} alerts")))
}

/// What the services register.
fn registered(root: &Path) -> anyhow::Result<Registered> {
    let mut registered = Registered::default();
    for file in tracked::files(root)? {
        let is_code = file.ends_with(".rs") && !file.ends_with("/tests.rs");
        if is_code && SERVICES.iter().any(|folder| file.starts_with(folder)) {
            registered.add(&read(&root.join(file))?);
        }
    }
    Ok(registered)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
