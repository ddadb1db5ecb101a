//! promtool, which checks and tests Prometheus's rules.
//!
//! It comes out of Debian's package `prometheus`, which is unpacked and not installed: installing it
//! would start a server.

use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::step::Steps;
use super::{Cache, debian};
use crate::{Launch, StackError, process};

/// The program, and the part's name in the cache.
const NAME: &str = "promtool";

/// The package that holds it.
const PACKAGE: &str = "prometheus";

/// What takes the one file out of the package that lies in the working directory.
const UNPACK: &str = "dpkg-deb --fsys-tarfile prometheus_*.deb | tar --extract --strip-components=3 ./usr/bin/promtool && rm prometheus_*.deb";

/// The program; apt fetches it if it is neither installed nor in the cache.
pub(super) fn install(cache: &Cache, steps: &Steps<'_>) -> Result<PathBuf, StackError> {
    if let Some(installed) = process::find(NAME) {
        return Ok(installed);
    }
    let directory = cache.part(NAME, |directory| fetch(directory, cache, steps))?;
    Ok(directory.join(NAME))
}

fn fetch(directory: &Path, cache: &Cache, steps: &Steps<'_>) -> Result<(), StackError> {
    if process::find("apt-get").is_none() || process::find("dpkg-deb").is_none() {
        return Err(debian::missing_packages(&[PACKAGE]));
    }
    let log = cache.path("promtool.log");
    // Only root may; anybody else has the lists that there are.
    if geteuid().is_root() {
        let update = debian::apt_get(&["update"]);
        steps.run("Reading Debian's package lists", update, &log)?;
    }
    let download = debian::apt_get(&["download", PACKAGE]).current_dir(directory);
    steps.run("Fetching promtool with apt-get (19 MB)", download, &log)?;
    let unpack = Launch::new("sh")
        .args(["-c", UNPACK])
        .current_dir(directory);
    steps.run("Unpacking promtool", unpack, &log)
}
