//! The Java runtime.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// The oldest Java that Kafka 4 runs on.
const OLDEST: u32 = 17;

/// Where Debian's package puts it when another Java is first in `PATH`.
const DEBIAN: &str = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java";

/// A Java that Kafka runs on, if there is one.
pub(super) fn find() -> Option<PathBuf> {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let candidates = [home, process::find("java"), Some(PathBuf::from(DEBIAN))];
    candidates
        .into_iter()
        .flatten()
        .find(|java| major(java).is_some_and(|major| major >= OLDEST))
}

/// Everything that a Java says about its version.
pub(super) fn version(java: &Path) -> Option<String> {
    let output = Command::new(java).arg("-version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn major(java: &Path) -> Option<u32> {
    major_of(&version(java)?)
}

/// Reads the first quoted version, as in `openjdk version "17.0.15" 2025-04-15`.
fn major_of(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    let number = version.split(|c: char| !c.is_ascii_digit()).next()?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        assert_eq!(
            major_of("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK …"),
            Some(17)
        );
        assert_eq!(major_of("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(major_of("java version \"1.8.0_402\""), Some(1));
        assert_eq!(major_of("no java here"), None);
    }
}
