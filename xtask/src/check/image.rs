//! `.dockerignore` lets in every crate of the workspace: without one, Cargo refuses to build any, and
//! so the image. The image is not built: that needs a Docker engine.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;

use super::{Context, Outcome, fail_with};

/// What leaves out everything, and lets in what it names.
const FILE: &str = ".dockerignore";

pub(super) fn check(context: &Context<'_>) -> Outcome {
    let root = context.project.root();
    let text =
        std::fs::read_to_string(root.join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
    let let_in = let_in(&text);
    let mut faults = left_out(&let_in, &folders(root)?);
    let gone = let_in.iter().filter(|name| !root.join(name).exists());
    faults.extend(gone.map(|name| format!("{FILE} lets in {name}, which is not there")));
    fail_with(&faults)?;
    Ok(None)
}

/// The names behind `!`.
fn let_in(text: &str) -> BTreeSet<&str> {
    let names = text.lines().filter_map(|line| line.strip_prefix('!'));
    names.collect()
}

fn left_out(let_in: &BTreeSet<&str>, folders: &BTreeSet<String>) -> Vec<String> {
    let missing = folders
        .iter()
        .filter(|name| !let_in.contains(name.as_str()));
    missing
        .map(|name| format!("{FILE} leaves out {name}/, so the image cannot be built: add !{name}"))
        .collect()
}

/// The folders at the root in which crates of the workspace stand.
fn folders(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cargo metadata failed")?;
    let manifests = metadata
        .packages
        .iter()
        .map(|package| &package.manifest_path);
    let folders = manifests.filter_map(|manifest| {
        let below = manifest.strip_prefix(&metadata.workspace_root).ok()?;
        below.components().next()
    });
    Ok(folders.map(|folder| folder.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_is_not_let_in_is_named() {
        let let_in = let_in("# what the build reads\n*\n!Cargo.toml\n!common\n!store\n");
        let folders = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        assert_eq!(
            left_out(&let_in, &folders(&["common", "store"])),
            [""; 0],
            "all are let in"
        );
        let faults = left_out(&let_in, &folders(&["common", "detect", "store"]));
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].ends_with("add !detect"), "{faults:?}");
    }

    #[test]
    fn the_crates_of_this_workspace_are_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let folders = folders(root).unwrap();
        for name in ["common", "store", "xtask"] {
            assert!(folders.contains(name), "{name}: {folders:?}");
        }
    }
}
