//! Each direct dependency has a line in `docs/dependencies.md`, and each line a dependency.

use std::collections::BTreeSet;

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;

use super::{Context, Outcome, fail_with};
use crate::project::Project;

/// Where the lines stand.
const PAGE: &str = "docs/dependencies.md";

pub(super) fn check(context: &Context<'_>) -> Outcome {
    let page = context.project.root().join(PAGE);
    let text = std::fs::read_to_string(&page).with_context(|| format!("cannot read {PAGE}"))?;
    let faults = differences(&dependencies(context.project)?, &justified(&text));
    fail_with(&faults)?;
    Ok(None)
}

/// Names of everything from outside that a crate of ours names in its manifest.
fn dependencies(project: &Project) -> anyhow::Result<BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .current_dir(project.root())
        .no_deps()
        .exec()
        .context("cargo metadata failed")?;
    let packages = metadata.packages.iter();
    let all = packages.flat_map(|package| &package.dependencies);
    let foreign = all.filter(|dependency| dependency.path.is_none());
    Ok(foreign.map(|dependency| dependency.name.clone()).collect())
}

/// Names in the first column of the page's table; one cell may hold several, and a remark in
/// brackets behind them.
fn justified(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split(" |").next());
    let names = cells.flat_map(|cell| cell.split(" (").next().unwrap_or(cell).split(", "));
    names
        .filter(|name| *name != "Crate")
        .map(ToOwned::to_owned)
        .collect()
}

fn differences(used: &BTreeSet<String>, justified: &BTreeSet<String>) -> Vec<String> {
    let missing = used.difference(justified);
    let stale = justified.difference(used);
    missing
        .map(|name| format!("{name} is a direct dependency: say in {PAGE} what for"))
        .chain(stale.map(|name| format!("{PAGE} names {name}, which nothing depends on")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_may_name_several_and_a_remark() {
        let page = "| Crate | For |\n|---|---|\n| a, b-c | x |\n| d (tests, xtask) | y |\ntext\n";
        let expected = ["a", "b-c", "d"].map(ToOwned::to_owned);
        assert_eq!(justified(page), BTreeSet::from(expected));
    }

    #[test]
    fn what_is_on_one_side_only_is_named() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let faults = differences(&set(&["new", "both"]), &set(&["both", "old"]));
        assert_eq!(faults.len(), 2);
        assert!(faults[0].starts_with("new is") && faults[1].contains("names old"));
    }
}
