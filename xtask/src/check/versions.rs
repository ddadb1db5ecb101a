//! `rust-version` is true, and one version is written down everywhere.

use std::process::Command;

use anyhow::{Context as _, bail};

use super::{Context, Outcome};

/// A version's first two numbers.
type Version = (u32, u32);

pub(super) fn check(context: &Context<'_>) -> Outcome {
    let root = context.project.root();
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let promised = promised(&manifest).context("Cargo.toml has no rust-version")?;
    let output = Command::new("rustc")
        .arg("--version")
        .output()
        .context("cannot run rustc")?;
    let running = version(&String::from_utf8_lossy(&output.stdout))
        .context("`rustc --version` names no version")?;
    if running < promised {
        bail!("rust-version is {promised:?}, but this toolchain is {running:?}");
    }
    let dockerfile = std::fs::read_to_string(root.join("Dockerfile")).context("no Dockerfile")?;
    let image = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("FROM rust:"))
        .and_then(version)
        .context("Dockerfile has no line `FROM rust:VERSION…`")?;
    if image < promised {
        bail!("rust-version is {promised:?}, but the Dockerfile builds with {image:?}");
    }
    let remark = (running > promised).then(|| {
        let (major, minor) = promised;
        format!(
            "tried with Rust {}.{}, promised from {major}.{minor}",
            running.0, running.1
        )
    });
    Ok(remark)
}

fn promised(manifest: &str) -> Option<Version> {
    manifest
        .lines()
        .find_map(|line| version(line.strip_prefix("rust-version")?))
}

/// The first `MAJOR.MINOR` in a text.
fn version(text: &str) -> Option<Version> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text[from..].split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        assert_eq!(
            version("rustc 1.95.0 (f2d3ce0bd 2026-03-21)"),
            Some((1, 95))
        );
        assert_eq!(version("1.95-bookworm AS build"), Some((1, 95)));
        assert_eq!(
            promised("edition = \"2024\"\nrust-version = \"1.95\"\n"),
            Some((1, 95))
        );
        assert_eq!(version("none"), None);
    }
}
