//! Finds or installs what the servers and the build need.
//!
//! Kafka's jars come through Maven and ClickHouse's library through npm, both into the cache
//! directory; the rest are Debian packages. What is there is used; only what is missing is
//! installed, and only root can install Debian packages.

mod cache;
mod clickhouse;
mod debian;
mod java;
mod kafka;
mod promtool;
mod step;
mod surveillance;

use std::path::PathBuf;

pub use cache::{Cache, cache_directory};

use crate::{Cancellation, StackError, process};
use step::Steps;

/// What the caller is going to do, beside running the two servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Build Postback: librdkafka needs a C and a C++ compiler, make, and OpenSSL's headers.
    pub build: bool,
    /// Check `docker-compose.yml`.
    pub compose: bool,
}

impl Needs {
    /// What building Postback takes, and no more.
    pub const BUILD: Self = Self {
        build: true,
        compose: false,
    };
}

/// Where the installed parts are.
#[derive(Clone, Debug)]
pub struct Installation {
    /// A Java runtime, 17 or newer.
    pub java: PathBuf,
    /// The directory that holds Kafka's jars.
    pub kafka_libraries: PathBuf,
    /// What Java knows about Kafka's classes already, for a quicker start.
    pub kafka_classes: Option<PathBuf>,
    /// ClickHouse as a shared library.
    pub clickhouse_library: PathBuf,
}

/// Installs what is missing; `report` gets a line for every step that takes long.
///
/// Takes a second when everything is there. Two calls at once, in one process or in several, wait
/// for each other. An interrupted installation leaves nothing that a later one would trust.
///
/// # Errors
/// [`StackError::MissingPackages`] when Debian packages are missing and this is not root; another
/// one when something cannot be fetched or does not have the expected checksum.
pub fn install(
    needs: Needs,
    cancellation: &Cancellation,
    report: &dyn Fn(&str),
) -> Result<Installation, StackError> {
    clickhouse::check_machine()?;
    let cache = Cache::open()?;
    let steps = Steps {
        cancellation,
        report,
    };
    let _lock = cache.lock(&steps)?;
    let mut missing = debian::missing_for_servers(&cache);
    missing.extend(debian::missing(needs));
    debian::install(&missing, &cache, &steps)?;
    let mut installation = Installation {
        java: java::find().ok_or_else(debian::no_java)?,
        kafka_libraries: kafka::install(&cache, &steps)?,
        kafka_classes: None,
        clickhouse_library: clickhouse::install(&cache, &steps)?,
    };
    installation.kafka_classes = Some(kafka::classes(&installation, &cache, &steps)?);
    Ok(installation)
}

/// promtool, which checks and tests Prometheus's rules; fetched if it is not there.
///
/// # Errors
/// [`StackError::MissingPackages`] on a machine without it and without apt; another one when it
/// cannot be fetched.
pub fn promtool(cancellation: &Cancellation, report: &dyn Fn(&str)) -> Result<PathBuf, StackError> {
    let cache = Cache::open()?;
    let steps = Steps {
        cancellation,
        report,
    };
    let _lock = cache.lock(&steps)?;
    promtool::install(&cache, &steps)
}

/// strace, which can kill a server at a system call of its own; installed if it is not there.
///
/// # Errors
/// As [`install`].
pub fn strace(cancellation: &Cancellation, report: &dyn Fn(&str)) -> Result<PathBuf, StackError> {
    let cache = Cache::open()?;
    let steps = Steps {
        cancellation,
        report,
    };
    let _lock = cache.lock(&steps)?;
    debian::install(&debian::missing_strace(), &cache, &steps)?;
    process::find(debian::STRACE).ok_or_else(|| debian::missing_packages(&[debian::STRACE]))
}

/// `Rscript` of an R that has the package `surveillance`; installed if it is not there.
///
/// # Errors
/// As [`install`].
pub fn surveillance(
    cancellation: &Cancellation,
    report: &dyn Fn(&str),
) -> Result<PathBuf, StackError> {
    let cache = Cache::open()?;
    let steps = Steps {
        cancellation,
        report,
    };
    let _lock = cache.lock(&steps)?;
    surveillance::install(&cache, &steps)
}

/// Installs what `needs` says and is missing, but not the servers.
///
/// # Errors
/// As [`install`].
pub fn install_packages(
    needs: Needs,
    cancellation: &Cancellation,
    report: &dyn Fn(&str),
) -> Result<(), StackError> {
    let cache = Cache::open()?;
    let steps = Steps {
        cancellation,
        report,
    };
    let _lock = cache.lock(&steps)?;
    debian::install(&debian::missing(needs), &cache, &steps)
}
