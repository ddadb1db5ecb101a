//! The systemd units in `deploy/systemd/` are understood by systemd, where it is installed. They are
//! not started: that needs a systemd that runs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use postback_stack::process::find;

use super::{Context, Outcome};

/// Where the units stand.
const UNITS: &str = "deploy/systemd";

/// Puts a program in the place of ours, which need not be installed where the check runs.
const EXECUTABLE: &str = "/usr/local/bin/postback";

pub(super) fn check(context: &Context<'_>) -> Outcome {
    if find("systemd-analyze").is_none() {
        return Ok(Some("SKIPPED, systemd-analyze is not installed".to_owned()));
    }
    let copies = tempfile::tempdir()?;
    let mut units = Vec::new();
    for entry in std::fs::read_dir(context.project.root().join(UNITS))? {
        let unit = entry?.path();
        let name = unit.file_name().context("a unit has a name")?;
        let copy = copies.path().join(name);
        std::fs::write(&copy, startable(&std::fs::read_to_string(&unit)?))?;
        units.push(copy);
    }
    if units.is_empty() {
        bail!("{UNITS} is empty");
    }
    verify(&units)?;
    Ok(Some("their form only, they were not started".to_owned()))
}

/// The unit with programs that exist.
fn startable(unit: &str) -> String {
    let lines = unit.lines().map(|line| match line.split_once(EXECUTABLE) {
        Some((before, _)) => format!("{before}/bin/true\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// Warnings about keys that nobody knows do not make `systemd-analyze` fail, so its words count too.
fn verify(units: &[impl AsRef<Path>]) -> anyhow::Result<()> {
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .args(units.iter().map(AsRef::as_ref))
        .output()
        .context("cannot run systemd-analyze")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let ours = |line: &&str| line.contains("postback-");
    let faults: Vec<&str> = said.lines().filter(ours).collect();
    if !output.status.success() || !faults.is_empty() {
        bail!("systemd-analyze verify:\n{}", said.trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_ours_is_replaced_with_its_arguments() {
        let unit =
            "[Service]\nExecStart=/usr/local/bin/postback-ingest --config x\nUser=postback\n";
        let expected = "[Service]\nExecStart=/bin/true\nUser=postback\n";
        assert_eq!(startable(unit), expected);
    }

    #[test]
    fn a_key_that_nobody_knows_is_found() {
        if find("systemd-analyze").is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let unit = folder.path().join("postback-test.service");
        let text = "[Service]\nExecStart=/bin/true\n";
        std::fs::write(&unit, text).unwrap();
        verify(&[&unit]).unwrap();
        std::fs::write(&unit, format!("{text}Restartt=always\n")).unwrap();
        assert!(verify(&[&unit]).is_err());
    }
}
