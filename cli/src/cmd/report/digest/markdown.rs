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

/// Texts of senders are texts, and no formatting, links or mentions.
fn escaped(text: &str) -> String {
    let text = printable(text);
    let mut escaped = String::with_capacity(text.len());
    let mut is_code = false;
    for (at, character) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + character.len_utf8()..]);
        let links = links(before, character, after);
        if links != is_code {
            escaped.push('`');
            is_code = links;
        }
        if !links && formats(character, after) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    if is_code {
        escaped.push('`');
    }
    escaped
}

/// What a backslash makes a plain character.
fn formats(character: char, after: &str) -> bool {
    match character {
        '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '#' | '~' | '$' => true,
        // `&amp;`. A company's `&` is left alone.
        '&' => after.contains(';'),
        _ => false,
    }
}

/// What makes an address, a mention or a picture of the words around it: `a@b`, `http://a`, `www.a`,
/// `:name:`. Many renderers look for them once the backslashes are gone, and none looks into code.
fn links(before: &str, character: char, after: &str) -> bool {
    match character {
        '@' => true,
        // Not in a sentence, nor in a time.
        ':' => {
            let is_digit = |beside: Option<char>| beside.is_some_and(|c| c.is_ascii_digit());
            let is_time = is_digit(before.chars().next_back()) && is_digit(after.chars().next());
            !is_time && after.chars().next().is_some_and(|c| !c.is_whitespace())
        }
        '.' => before
            .len()
            .checked_sub(3)
            .and_then(|start| before.get(start..))
            .is_some_and(|word| word.eq_ignore_ascii_case("www")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_writes_is_no_formatting() {
        assert_eq!(escaped("a|b *c* <d>"), "a\\|b \\*c\\* \\<d\\>");
        assert_eq!(escaped("x\ny"), "x\u{fffd}y");
        assert_eq!(
            escaped("~~a~~ $b$ ![c](d)"),
            "\\~\\~a\\~\\~ \\$b\\$ !\\[c\\](d)"
        );
        assert_eq!(escaped("&lt;b&#62;"), "\\&lt;b\\&\\#62;");
    }

    #[test]
    fn what_a_sender_writes_is_no_link_and_no_mention() {
        assert_eq!(escaped("ask @team"), "ask `@`team");
        assert_eq!(escaped("a@b.example"), "a`@`b.example");
        assert_eq!(escaped("@@"), "`@@`");
        assert_eq!(escaped("`@`"), "\\``@`\\`");
        assert_eq!(escaped("https://a.example/?b"), "https`:`//a.example/?b");
        assert_eq!(escaped("mailto:a@b"), "mailto`:`a`@`b");
        assert_eq!(escaped("é WWW.a.example"), "é WWW`.`a.example");
        assert_eq!(escaped(":tada:"), "`:`tada:");
        assert_eq!(escaped("x:100:y"), "x`:`100`:`y");
    }

    #[test]
    fn usual_texts_stay_as_they_are() {
        for usual in [
            "12.50",
            "-1,234.5 %",
            "2026-09-01T10:00:30+02:00",
            "12.5 ± 3 (usual: 10)",
            "Barnes & Noble",
            "H&M, Co.",
            "Größe 42!",
            "complete through 09:30:",
        ] {
            assert_eq!(escaped(usual), usual);
        }
    }
}
