//! Puts the commit that is built into the environment variable `POSTBACK_COMMIT` of the compiler.
//!
//! Reads git's own files rather than ask `git`: a build image need not have it. Where there is no
//! repository (a source archive), a `POSTBACK_COMMIT` given from outside counts, else `unknown`.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Hexadecimal digits of the commit that are shown.
const SHOWN: usize = 9;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=POSTBACK_COMMIT");
    let given = env::var("POSTBACK_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty());
    let commit = given.or_else(from_repository);
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    let shown: String = commit
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(SHOWN)
        .collect();
    println!("cargo::rustc-env=POSTBACK_COMMIT={shown}");
}

fn from_repository() -> Option<String> {
    let git = git_directory()?;
    // Branches of a linked work tree stand in the main repository.
    let common =
        read(&git.join("commondir")).map_or_else(|| git.clone(), |relative| git.join(relative));
    watch(&git.join("HEAD"));
    let head = read(&git.join("HEAD"))?;
    let Some(branch) = head.strip_prefix("ref: ") else {
        return Some(head);
    };
    watch(&common.join("packed-refs"));
    // A commit on a packed branch makes a new file: the directory tells.
    watch(&common.join("refs/heads"));
    read(&common.join(branch)).or_else(|| packed(&common, branch))
}

/// `.git` of the workspace itself, not of a directory above it: sources unpacked inside another
/// repository are not at that repository's commit.
fn git_directory() -> Option<PathBuf> {
    let workspace = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?)
        .parent()?
        .to_owned();
    let git = workspace.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let link = read(&git)?;
    Some(workspace.join(link.strip_prefix("gitdir: ")?))
}

fn packed(common: &Path, branch: &str) -> Option<String> {
    let refs = read(&common.join("packed-refs"))?;
    let line = refs
        .lines()
        .find(|line| line.split_once(' ').is_some_and(|(_, name)| name == branch))?;
    line.split_once(' ').map(|(commit, _)| commit.to_owned())
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

/// Only what exists: cargo runs a script each time for a file that does not.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}
