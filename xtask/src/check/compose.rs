//! `docker-compose.yml` has a form that docker-compose accepts, and names the Kafka that the tests
//! run on. It is not run: that needs a Docker engine.

use std::process::Command;

use anyhow::{Context as _, bail};

use super::{Context, Outcome};

pub(super) fn check(context: &Context<'_>) -> Outcome {
    let root = context.project.root();
    let output = Command::new("docker-compose")
        .args(["--file", "docker-compose.yml", "config"])
        .current_dir(root)
        // What a user must set and has no default.
        .env("POSTBACK__CLICKHOUSE__PASSWORD", "only-for-the-check")
        .output()
        .context("cannot run docker-compose")?;
    if !output.status.success() {
        bail!(
            "docker-compose config failed:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let resolved = String::from_utf8_lossy(&output.stdout);
    for service in ["kafka", "clickhouse", "migrate", "ingest", "consumer"] {
        if !resolved.contains(&format!("\n  {service}:\n")) {
            bail!("docker-compose.yml has no service {service}");
        }
    }
    let pom = std::fs::read_to_string(root.join("stack/kafka/pom.xml"))?;
    let tested = kafka_version(&pom).context("stack/kafka/pom.xml has no kafka.version")?;
    if !resolved.contains(&format!("image: apache/kafka:{tested}")) {
        bail!("docker-compose.yml does not run Kafka {tested}, on which the tests run");
    }
    Ok(Some("its form only, it was not run".to_owned()))
}

fn kafka_version(pom: &str) -> Option<&str> {
    pom.split_once("<kafka.version>")?
        .1
        .split_once('<')
        .map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_the_version_out_of_the_pom() {
        assert_eq!(
            super::kafka_version("<kafka.version>4.1.2</kafka.version>"),
            Some("4.1.2")
        );
    }
}
