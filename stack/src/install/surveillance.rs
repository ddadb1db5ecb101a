//! R with its package `surveillance`, which has the charts that ours are held against.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::step::Steps;
use super::{Cache, debian};
use crate::{StackError, process};

/// What runs a script of R.
const PROGRAM: &str = "Rscript";

/// The packages that hold R and `surveillance`.
const PACKAGES: [&str; 2] = ["r-base-core", "r-cran-surveillance"];

/// The program; installed with the package if either is not there.
pub(super) fn install(cache: &Cache, steps: &Steps<'_>) -> Result<PathBuf, StackError> {
    if let Some(program) = find() {
        return Ok(program);
    }
    debian::install(&PACKAGES, cache, steps)?;
    find().ok_or_else(|| debian::missing_packages(&PACKAGES))
}

fn find() -> Option<PathBuf> {
    process::find(PROGRAM).filter(|program| has_package(program))
}

fn has_package(program: &Path) -> bool {
    Command::new(program)
        .args(["-e", "quit(status = !requireNamespace('surveillance'))"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
