//! The build that tells libFuzzer which code an input reaches. It takes stable Rust: what counts is
//! LLVM's pass, and what cargo-fuzz would set for it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use postback_stack::{Cancellation, Needs};

use crate::project::{Project, host, run};
use crate::report;

/// Counts each edge between pieces of code, and shows libFuzzer what is compared with what.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Builds a target's program, apart from all other builds; returns its path.
///
/// # Errors
/// When packages are missing, when it does not build, or when cancelled.
pub(super) fn build(
    target: &str,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<PathBuf> {
    postback_stack::install_packages(Needs::BUILD, cancellation, &report::step)?;
    report::step("Building the fuzzer: some minutes the first time");
    let host = host()?;
    let program = format!("fuzz-{target}");
    let arguments = [
        "build",
        "--locked",
        "--profile",
        "fuzz",
        "--package",
        "postback-fuzz",
        "--features",
        "libfuzzer",
        "--bin",
        &program,
        // With a target, the flags are not for build scripts and macros, which have no libFuzzer.
        "--target",
        &host,
    ];
    let launch = project.cargo(&arguments).envs([("RUSTFLAGS", FLAGS)]);
    run("cargo build", launch, cancellation)?;
    Ok(target_directory()?.join(host).join("fuzz").join(program))
}

/// Where cargo builds, wherever the environment puts it: this program is there too.
fn target_directory() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own.parent().and_then(Path::parent);
    let directory = profile.context("this program is not where cargo builds")?;
    Ok(directory.to_owned())
}
