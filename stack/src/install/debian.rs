//! Debian packages.

use std::process::{Command, Stdio};

use rustix::process::geteuid;

use super::step::Steps;
use super::{Cache, Needs, clickhouse, java, kafka};
use crate::{Launch, StackError, process};

/// The Java runtime's package.
const JAVA: &str = "openjdk-17-jre-headless";

/// The program that traces system calls, and its package.
pub(super) const STRACE: &str = "strace";

/// What the build of librdkafka with TLS runs, and the packages that hold it.
const BUILD_PROGRAMS: [(&str, &str); 5] = [
    ("cmake", "cmake"),
    ("gcc", "gcc"),
    ("g++", "g++"),
    ("make", "make"),
    ("pkg-config", "pkg-config"),
];

/// What the build of librdkafka with TLS links to: pkg-config's name, and the package.
const BUILD_LIBRARIES: [(&str, &str); 2] = [("openssl", "libssl-dev"), ("zlib", "zlib1g-dev")];

/// The packages that the servers need and that are not there.
///
/// Maven and npm count only while the part that they would fetch is not in the cache.
pub(super) fn missing_for_servers(cache: &Cache) -> Vec<&'static str> {
    let kafka = kafka::is_installed(cache) || process::find("mvn").is_some();
    let clickhouse = clickhouse::is_installed(cache) || process::find("npm").is_some();
    absent([
        (java::find().is_some(), JAVA),
        (kafka, "maven"),
        (clickhouse, "npm"),
        (process::find("setpriv").is_some(), "util-linux"),
    ])
}

/// The packages that the caller's work needs and that are not there.
pub(super) fn missing(needs: Needs) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if needs.build {
        let there = |program| process::find(program).is_some();
        missing.extend(absent(
            BUILD_PROGRAMS.map(|(name, package)| (there(name), package)),
        ));
        missing.extend(absent(
            BUILD_LIBRARIES.map(|(name, package)| (has_library(name), package)),
        ));
    }
    if needs.compose {
        missing.extend(absent([(
            process::find("docker-compose").is_some(),
            "docker-compose",
        )]));
    }
    missing
}

/// strace's package, unless the program is there.
pub(super) fn missing_strace() -> Vec<&'static str> {
    absent([(process::find(STRACE).is_some(), STRACE)])
}

/// Those of the packages whose content is not there.
fn absent(packages: impl IntoIterator<Item = (bool, &'static str)>) -> Vec<&'static str> {
    packages
        .into_iter()
        .filter(|(there, _)| !there)
        .map(|(_, package)| package)
        .collect()
}

/// Whether pkg-config knows a library; without pkg-config none counts as there.
fn has_library(name: &str) -> bool {
    Command::new("pkg-config")
        .args(["--exists", name])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Installs packages, as root; with none to install it does nothing.
pub(super) fn install(
    packages: &[&'static str],
    cache: &Cache,
    steps: &Steps<'_>,
) -> Result<(), StackError> {
    if packages.is_empty() {
        return Ok(());
    }
    if !geteuid().is_root() || process::find("apt-get").is_none() {
        return Err(missing_packages(packages));
    }
    let log = cache.path("apt-get.log");
    steps.run("Reading Debian's package lists", apt_get(&["update"]), &log)?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    let what = format!("Installing Debian packages: {}", packages.join(" "));
    steps.run(&what, apt_get(&arguments), &log)
}

pub(super) fn apt_get(arguments: &[&str]) -> Launch {
    Launch::new("apt-get")
        // Waits for another apt-get instead of failing.
        .args(["-qq", "-o", "DPkg::Lock::Timeout=600"])
        .args(arguments)
        .envs([("DEBIAN_FRONTEND", "noninteractive")])
}

pub(super) fn missing_packages(packages: &[&str]) -> StackError {
    StackError::MissingPackages {
        packages: packages
            .iter()
            .map(|package| (*package).to_owned())
            .collect(),
        command: format!(
            "sudo apt-get update && sudo apt-get install --no-install-recommends {}",
            packages.join(" ")
        ),
    }
}

/// The error for a machine that has no usable Java even after the installation.
pub(super) fn no_java() -> StackError {
    missing_packages(&[JAVA])
}
