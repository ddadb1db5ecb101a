//! ClickHouse as a shared library, through npm.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Cache;
use super::step::Steps;
use crate::{Launch, StackError};

/// The npm package; its version names ClickHouse's.
const PACKAGE: &str = "@chdb/lib-linux-x64-gnu@26.7.3-stable.1";

/// The package's checksum as npm writes it: SHA-512 in base64.
const INTEGRITY: &str = "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==";

/// The part's name in the cache.
const NAME: &str = "clickhouse-26.7.3-stable.1";

/// The file in the package.
const LIBRARY: &str = "libchdb.so";

/// # Errors
/// [`StackError::UnsupportedMachine`] where the library does not run.
pub(super) fn check_machine() -> Result<(), StackError> {
    if cfg!(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_env = "gnu"
    )) {
        return Ok(());
    }
    let machine = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    Err(StackError::UnsupportedMachine {
        server: "ClickHouse",
        machine,
    })
}

/// Whether it is in the cache.
pub(super) fn is_installed(cache: &Cache) -> bool {
    cache.path(NAME).is_dir()
}

/// The library; npm fetches it if it is not there.
pub(super) fn install(cache: &Cache, steps: &Steps<'_>) -> Result<PathBuf, StackError> {
    let directory = cache.part(NAME, |directory| {
        let archive = fetch(directory, cache, steps)?;
        unpack(&archive, directory, cache, steps)?;
        std::fs::remove_file(&archive).map_err(StackError::io("remove", &archive))
    })?;
    Ok(directory.join(LIBRARY))
}

fn fetch(directory: &Path, cache: &Cache, steps: &Steps<'_>) -> Result<PathBuf, StackError> {
    // npm prints a description of what it fetched on standard output; only that goes here.
    let answer = directory.join("npm.json");
    let launch = Launch::new("sh")
        .args([
            "-c",
            "exec npm pack --json --ignore-scripts \"$1\" > npm.json",
            "npm",
            PACKAGE,
        ])
        .current_dir(directory);
    steps.run(
        "Fetching ClickHouse with npm (178 MB)",
        launch,
        &cache.path("npm.log"),
    )?;
    let text = std::fs::read(&answer).map_err(StackError::io("read", &answer))?;
    let (file, integrity) = described(&text).unwrap_or_default();
    if integrity != INTEGRITY {
        return Err(StackError::Integrity {
            what: PACKAGE.to_owned(),
            expected: INTEGRITY.to_owned(),
            found: integrity,
        });
    }
    std::fs::remove_file(&answer).map_err(StackError::io("remove", &answer))?;
    Ok(directory.join(file))
}

/// File name and checksum out of what `npm pack --json` prints: a list, or in newer versions an
/// object, with one description.
fn described(text: &[u8]) -> Option<(String, String)> {
    let answer: Value = serde_json::from_slice(text).ok()?;
    let description = match &answer {
        Value::Array(list) => list.first()?,
        Value::Object(map) if !map.contains_key("integrity") => map.values().next()?,
        other => other,
    };
    // npm writes @chdb/lib… as chdb-lib…; some versions report the name unchanged.
    let file = description["filename"]
        .as_str()?
        .replace('@', "")
        .replace('/', "-");
    Some((file, description["integrity"].as_str()?.to_owned()))
}

fn unpack(
    archive: &Path,
    directory: &Path,
    cache: &Cache,
    steps: &Steps<'_>,
) -> Result<(), StackError> {
    let launch = Launch::new("tar")
        .args([
            "--extract",
            "--gzip",
            "--no-same-owner",
            "--strip-components=1",
            "--file",
        ])
        .args([archive])
        .args([format!("package/{LIBRARY}")])
        .current_dir(directory);
    steps.run(
        "Unpacking ClickHouse (566 MB)",
        launch,
        &cache.path("npm.log"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_npm_prints() {
        let expected = Some(("chdb-lib-1.tgz".to_owned(), "sha512-x".to_owned()));
        let list = br#"[{"filename":"chdb-lib-1.tgz","integrity":"sha512-x"}]"#;
        assert_eq!(described(list), expected);
        let old = br#"[{"filename":"@chdb/lib-1.tgz","integrity":"sha512-x"}]"#;
        assert_eq!(described(old), expected);
        let map = br#"{"@chdb/lib":{"filename":"chdb-lib-1.tgz","integrity":"sha512-x"}}"#;
        assert_eq!(described(map), expected);
        assert_eq!(described(b"[]"), None);
    }
}
