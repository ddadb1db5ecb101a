//! The page as Markdown, with tables as GitHub and most wikis know them.

use std::io::{self, Write};

use super::page::{ALL_WELL, NOTHING, Page, Section};
use crate::output::{Cell, printable};

pub(super) fn write(page: &Page, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "# {}\n", escaped(&page.title))?;
    if page.findings.is_empty() {
        writeln!(out, "{ALL_WELL}")?;
    }
    for finding in &page.findings {
        writeln!(out, "- **{}** `{}`", escaped(&finding.words), finding.look)?;
    }
    for section in &page.sections {
        writeln!(out, "\n## {}\n", section.heading)?;
        if section.is_empty() {
            writeln!(out, "{NOTHING}")?;
        } else {
            table(section, out)?;
        }
    }
    writeln!(out)?;
    for line in &page.footer {
        writeln!(out, "{}  ", escaped(line))?;
    }
    Ok(())
}

fn table(section: &Section, out: &mut impl Write) -> io::Result<()> {
    let sheet = &section.sheet;
    if !sheet.rows.is_empty() {
        let headings = sheet.columns.iter().map(|column| escaped(&column.title()));
        line(headings, out)?;
        let rules = sheet.columns.iter();
        let rules = rules.map(|column| if column.right { "---:" } else { "---" }.to_owned());
        line(rules, out)?;
        for row in &sheet.rows {
            line(row.iter().map(cell), out)?;
        }
        for row in &sheet.totals {
            line(row.iter().map(|value| strong(&cell(value))), out)?;
        }
        writeln!(out)?;
    }
    for note in &sheet.notes {
        writeln!(out, "{}  ", escaped(note))?;
    }
    Ok(())
}

fn line(cells: impl Iterator<Item = String>, out: &mut impl Write) -> io::Result<()> {
    let cells: Vec<String> = cells.collect();
    writeln!(out, "| {} |", cells.join(" | "))
}

fn cell(cell: &Cell) -> String {
    escaped(&cell.for_table())
}

fn strong(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("**{text}**")
    }
}

/// Texts of senders are texts, and no formatting.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in printable(text).chars() {
        if matches!(
            character,
            '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '#'
        ) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_writes_is_no_formatting() {
        assert_eq!(escaped("a|b *c* <d>"), "a\\|b \\*c\\* \\<d\\>");
        assert_eq!(escaped("x\ny"), "x\u{fffd}y");
    }
}
