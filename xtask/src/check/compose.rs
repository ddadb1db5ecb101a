//! `docker-compose.yml` has a form that docker-compose accepts, names the Kafka that the tests run on,
//! lets ingest wait for nothing, and mounts the configuration so that it can be replaced. It is not
//! run: that needs a Docker engine.

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
    for name in ["kafka", "clickhouse", "migrate", "ingest", "consumer"] {
        let service = service(&resolved, name)
            .with_context(|| format!("docker-compose.yml has no service {name}"))?;
        if name == "ingest" && service.contains("depends_on:") {
            bail!("ingest waits for others, though it answers from its spool without them");
        }
        // A file that is mounted by itself stays the old one when a new one takes its place.
        if service.contains(".toml:ro") || service.contains("target: /etc/postback/") {
            bail!("{name} mounts a file of the configuration instead of its folder");
        }
    }
    let pom = std::fs::read_to_string(root.join("stack/kafka/pom.xml"))?;
    let tested = kafka_version(&pom).context("stack/kafka/pom.xml has no kafka.version")?;
    if !resolved.contains(&format!("image: apache/kafka:{tested}")) {
        bail!("docker-compose.yml does not run Kafka {tested}, on which the tests run");
    }
    Ok(Some("its form only, it was not run".to_owned()))
}

/// A service's own lines of what docker-compose has resolved.
fn service<'a>(resolved: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = resolved.split_once(&format!("\n  {name}:\n"))?;
    let lines = behind.split_inclusive('\n');
    let own = lines.take_while(|line| line.starts_with("    "));
    Some(&behind[..own.map(str::len).sum()])
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

    #[test]
    fn a_service_ends_where_the_next_one_begins() {
        let resolved =
            "services:\n  a:\n    image: x\n    ports:\n    - 1\n  b:\n    image: y\nvolumes: {}\n";
        let own = |name| super::service(resolved, name);
        assert_eq!(own("a"), Some("    image: x\n    ports:\n    - 1\n"));
        assert_eq!(own("b"), Some("    image: y\n"));
        assert_eq!(own("image"), None);
    }
}
