//! Kafka's jars, through Maven.

use std::path::{Path, PathBuf};

use super::step::Steps;
use super::{Cache, Installation, java};
use crate::{Launch, StackError, hash};

/// What is fetched, with every version.
const POM: &str = include_str!("../../kafka/pom.xml");

/// The file that holds what Java knows about Kafka's classes.
const ARCHIVE: &str = "kafka.jsa";

/// Whether it is in the cache.
pub(super) fn is_installed(cache: &Cache) -> bool {
    cache.path(&name()).is_dir()
}

/// The directory that holds the jars; Maven fetches them if it is not there.
pub(super) fn install(cache: &Cache, steps: &Steps<'_>) -> Result<PathBuf, StackError> {
    cache.part(&name(), |directory| fetch(directory, cache, steps))
}

/// The name changes with anything in the pom: another pom is another installation.
fn name() -> String {
    format!("kafka-{}", &hash::sha256(POM)[..16])
}

/// The archive of Kafka's classes for this Java; made by running a broker once if it is not there.
pub(super) fn classes(
    installation: &Installation,
    cache: &Cache,
    steps: &Steps<'_>,
) -> Result<PathBuf, StackError> {
    let java = java::version(&installation.java).unwrap_or_default();
    let name = format!("{}-classes-{}", name(), &hash::sha256(&java)[..16]);
    let directory = cache.part(&name, |directory| {
        (steps.report)("Starting Kafka once, so that it starts quicker from now on");
        let (data, archive) = (directory.join("kafka"), directory.join(ARCHIVE));
        crate::kafka::record_classes(installation, &data, &archive, steps.cancellation)?;
        std::fs::remove_dir_all(&data).map_err(StackError::io("remove", &data))
    })?;
    Ok(directory.join(ARCHIVE))
}

fn fetch(directory: &Path, cache: &Cache, steps: &Steps<'_>) -> Result<(), StackError> {
    let pom = directory.join("pom.xml");
    std::fs::write(&pom, POM).map_err(StackError::io("write", &pom))?;
    let launch = Launch::new("mvn")
        // A checksum that does not match is an error, not a warning.
        .args(["--batch-mode", "--quiet", "--strict-checksums"])
        .args([
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            "-DoutputDirectory=.",
        ])
        .current_dir(directory);
    steps.run(
        "Fetching Apache Kafka with Maven (54 MB)",
        launch,
        &cache.path("maven.log"),
    )
}
