//! The files that belong to the project.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

/// Their paths, relative to the root, with `/`: what git knows, and what it would add.
pub(super) fn files(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("cannot run git")?;
    if !output.status.success() {
        bail!(
            "git ls-files failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    let there = |name: &&str| !name.is_empty() && root.join(name).exists();
    Ok(names
        .split('\0')
        .filter(there)
        .map(ToOwned::to_owned)
        .collect())
}
