//! The page, and how it is written as plain text.

use std::io::{self, Write};

use super::findings::Finding;
use crate::output::{Sheet, write_table};

/// All of it.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) findings: Vec<Finding>,
    pub(super) sections: Vec<Section>,
    pub(super) footer: Vec<String>,
}

/// One report of it.
pub(super) struct Section {
    /// The report's name.
    pub(super) key: &'static str,
    pub(super) heading: &'static str,
    pub(super) sheet: Sheet,
}

impl Section {
    pub(super) const fn new(key: &'static str, heading: &'static str, sheet: Sheet) -> Self {
        Self {
            key,
            heading,
            sheet,
        }
    }

    /// What stands where there are no rows and nothing is remarked.
    pub(super) fn is_empty(&self) -> bool {
        self.sheet.rows.is_empty() && self.sheet.notes.is_empty()
    }
}

/// Where nothing is to be looked at.
pub(super) const ALL_WELL: &str = "Nothing found that somebody should look at.";

/// Under the heading of a section without a row.
pub(super) const NOTHING: &str = "Nothing in this range.";

/// As plain text.
pub(super) fn write(page: &Page, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{}\n{}\n",
        page.title,
        "═".repeat(page.title.chars().count())
    )?;
    if page.findings.is_empty() {
        writeln!(out, "{ALL_WELL}")?;
    }
    for finding in &page.findings {
        writeln!(out, "- {}\n    {}", finding.words, finding.look)?;
    }
    for section in &page.sections {
        let heading = section.heading;
        writeln!(
            out,
            "\n{heading}\n{}\n",
            "─".repeat(heading.chars().count())
        )?;
        if section.is_empty() {
            writeln!(out, "{NOTHING}")?;
        } else {
            write_table(&section.sheet, out)?;
        }
    }
    writeln!(out)?;
    for line in &page.footer {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
