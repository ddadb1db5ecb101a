//! Secrets of the tests begin with a mark; no file that a run wrote may hold it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// What every secret of the tests begins with.
const MARK: &[u8] = b"canary-";

/// What may hold secrets: configuration.
const CONFIGURATION: &str = "toml";

/// Searches all files below the directories; the servers' own data, which are not text, count too.
///
/// # Errors
/// Names file and line of each find, without the line's text.
pub(super) fn check(directories: &[&Path]) -> anyhow::Result<()> {
    let mut finds = Vec::new();
    for directory in directories {
        for file in files(directory)? {
            let bytes =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            finds.extend(lines(&bytes).map(|line| format!("{}:{line}", file.display())));
        }
    }
    if !finds.is_empty() {
        bail!("a secret of the tests stands in\n  {}", finds.join("\n  "));
    }
    Ok(())
}

/// All files below a directory but configuration.
fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(&next)? {
            let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            if kind.is_dir() {
                left.push(path);
            } else if kind.is_file() && path.extension().is_none_or(|end| end != CONFIGURATION) {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// Numbers of the lines that hold the mark, from 1.
fn lines(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let holds = |line: &[u8]| line.windows(MARK.len()).any(|part| part == MARK);
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    lines
        .filter(move |(_, line)| holds(line))
        .map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_mark_everywhere_but_in_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("below");
        std::fs::create_dir(&below).unwrap();
        let secret = format!("one\nkey {}x\n", String::from_utf8_lossy(MARK));
        std::fs::write(below.join("postback.toml"), &secret).unwrap();
        std::fs::write(below.join("clean.log"), "nothing").unwrap();
        check(&[directory.path()]).unwrap();
        std::fs::write(below.join("ingest.log"), &secret).unwrap();
        let error = check(&[directory.path()]).unwrap_err().to_string();
        assert!(
            error.ends_with("ingest.log:2") && !error.contains("key"),
            "{error}"
        );
    }
}
