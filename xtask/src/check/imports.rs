//! Which crate may know which: what a crate must not know is a fact of the dependency graph.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context as _, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};

use super::{Context, Outcome, fail_with};
use crate::project::Project;

/// Each crate and the crates of ours that it may depend on.
const ALLOWED: [(&str, &[&str]); 17] = [
    ("postback-common", &[]),
    ("postback-service", &["postback-common"]),
    ("postback-normalise", &["postback-common"]),
    (
        "postback-ingest",
        &["postback-common", "postback-service", "postback-spool"],
    ),
    ("postback-store", &["postback-common"]),
    (
        "postback-network",
        &["postback-common", "postback-simulator"],
    ),
    (
        "postback-healing",
        &[
            "postback-common",
            "postback-network",
            "postback-normalise",
            "postback-service",
            "postback-store",
        ],
    ),
    (
        "postback-consumer",
        &[
            "postback-common",
            "postback-healing",
            "postback-network",
            "postback-service",
            "postback-normalise",
            "postback-store",
        ],
    ),
    (
        "postback-cli",
        &[
            "postback-common",
            "postback-detect",
            "postback-healing",
            "postback-network",
            "postback-service",
            "postback-normalise",
            "postback-store",
            "postback-simulator",
            "postback-spool",
        ],
    ),
    ("postback-detect", &[]),
    ("postback-load", &[]),
    (
        "postback-fuzz",
        &[
            "postback-common",
            "postback-service",
            "postback-ingest",
            "postback-normalise",
        ],
    ),
    ("postback-simulator", &[]),
    ("postback-spool", &[]),
    ("postback-stack", &[]),
    (
        "postback-tests",
        &[
            "postback-common",
            "postback-network",
            "postback-service",
            "postback-normalise",
            "postback-store",
            "postback-load",
            "postback-simulator",
            "postback-spool",
            "postback-stack",
        ],
    ),
    (
        "xtask",
        &[
            "postback-detect",
            "postback-load",
            "postback-simulator",
            "postback-stack",
        ],
    ),
];

/// Packages that must not be anywhere in what a crate is built from.
///
/// xtask installs compilers and libraries, so it must build before they are there: nothing in it
/// may compile C or look for a C library.
const FORBIDDEN: [(&str, &[&str]); 9] = [
    ("postback-common", &["tokio"]),
    (
        "postback-detect",
        &["tokio", "clickhouse", "rdkafka", "jiff"],
    ),
    ("postback-normalise", &["tokio"]),
    ("postback-ingest", &["clickhouse"]),
    ("postback-network", &["rdkafka", "clickhouse"]),
    ("postback-simulator", &["rdkafka", "clickhouse"]),
    ("postback-spool", &["tokio", "rdkafka", "clickhouse"]),
    (
        "postback-stack",
        &["cc", "cmake", "pkg-config", "bindgen", "tokio"],
    ),
    (
        "xtask",
        &[
            "cc",
            "cmake",
            "pkg-config",
            "bindgen",
            "rdkafka-sys",
            "openssl-sys",
            "clickhouse",
        ],
    ),
];

pub(super) fn check(context: &Context<'_>) -> Outcome {
    let edges = edges(context.project)?;
    let mut faults = wrong_edges(&edges);
    for (package, forbidden) in FORBIDDEN {
        let tree = tree(context.project, package)?;
        faults.extend(wrong_packages(package, forbidden, &tree));
    }
    fail_with(&faults)?;
    Ok(None)
}

/// Crate, and the crate of ours that it depends on, whatever for.
type Edge = (String, String);

/// The edges of the workspace; a crate without any stands before an empty name.
fn edges(project: &Project) -> anyhow::Result<Vec<Edge>> {
    let metadata = MetadataCommand::new()
        .current_dir(project.root())
        .no_deps()
        .exec()
        .context("cargo metadata failed")?;
    let ours: BTreeSet<String> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let mut edges = Vec::new();
    for package in &metadata.packages {
        edges.push((package.name.to_string(), String::new()));
        for dependency in &package.dependencies {
            let known = [
                DependencyKind::Normal,
                DependencyKind::Build,
                DependencyKind::Development,
            ];
            if ours.contains(&dependency.name) && known.contains(&dependency.kind) {
                edges.push((package.name.to_string(), dependency.name.clone()));
            }
        }
    }
    Ok(edges)
}

fn wrong_edges(edges: &[Edge]) -> Vec<String> {
    let mut faults = Vec::new();
    for (from, to) in edges {
        match ALLOWED.iter().find(|(package, _)| package == from) {
            None if to.is_empty() => faults.push(format!("{from} has no rule: add one to ALLOWED")),
            Some((_, allowed)) if !to.is_empty() && !allowed.contains(&to.as_str()) => {
                faults.push(format!("{from} must not depend on {to}"));
            }
            _ => {}
        }
    }
    faults
}

/// Names of all packages that a crate is built from, itself included; tests left out.
fn tree(project: &Project, package: &str) -> anyhow::Result<BTreeSet<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "tree",
            "--locked",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "--package", package])
        .current_dir(project.root())
        .output()
        .context("cannot run cargo tree")?;
    if !output.status.success() {
        bail!(
            "cargo tree failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.split(' ').next());
    Ok(names
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
        .collect())
}

fn wrong_packages(package: &str, forbidden: &[&str], tree: &BTreeSet<String>) -> Vec<String> {
    let found = forbidden.iter().filter(|name| tree.contains(**name));
    found
        .map(|name| {
            format!(
                "{package} must not be built from {name}: see `cargo tree -p {package} -i {name}`"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str) -> Edge {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn the_wrong_direction_is_named() {
        let edges = [
            edge("postback-ingest", ""),
            edge("postback-ingest", "postback-common"),
            edge("postback-ingest", "postback-store"),
            edge("postback-new", ""),
        ];
        assert_eq!(
            wrong_edges(&edges),
            [
                "postback-ingest must not depend on postback-store",
                "postback-new has no rule: add one to ALLOWED"
            ]
        );
    }

    #[test]
    fn a_forbidden_package_is_named() {
        let tree = BTreeSet::from(["serde".to_owned(), "tokio".to_owned()]);
        let faults = wrong_packages("postback-common", &["tokio"], &tree);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("postback-common must not be built from tokio"));
    }
}
