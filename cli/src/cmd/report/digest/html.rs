//! The page as one HTML file: nothing is loaded from elsewhere, and nothing runs.

use std::io::{self, Write};

use quick_xml::escape::escape;

use super::page::{ALL_WELL, NOTHING, Page, Section};
use crate::output::{Cell, Column, printable};

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n";

const STYLE: &str = "<style>\nbody { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }\n\
    table { border-collapse: collapse; margin: .5em 0; }\n\
    th, td { padding: .2em .7em; text-align: left; vertical-align: top; }\n\
    th { border-bottom: 1px solid; }\n\
    .n { text-align: right; font-variant-numeric: tabular-nums; }\n\
    tfoot td { border-top: 1px solid; font-weight: bold; }\n\
    .findings li { margin: .4em 0; }\ncode { background: #8882; padding: 0 .3em; }\n\
    .note, footer { color: #666; margin: .2em 0; }\n</style>\n";

pub(super) fn write(page: &Page, out: &mut impl Write) -> io::Result<()> {
    let title = shown(&page.title);
    write!(
        out,
        "{HEAD}<title>{title}</title>\n{STYLE}<h1>{title}</h1>\n"
    )?;
    if page.findings.is_empty() {
        writeln!(out, "<p>{ALL_WELL}</p>")?;
    } else {
        writeln!(out, "<ul class=\"findings\">")?;
        for finding in &page.findings {
            let (words, look) = (shown(&finding.words), shown(&finding.look));
            writeln!(out, "<li><strong>{words}</strong> <code>{look}</code></li>")?;
        }
        writeln!(out, "</ul>")?;
    }
    for section in &page.sections {
        self::section(section, out)?;
    }
    writeln!(out, "<footer>")?;
    for line in &page.footer {
        writeln!(out, "<p>{}</p>", shown(line))?;
    }
    writeln!(out, "</footer>\n</html>")
}

fn section(section: &Section, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<h2>{}</h2>", section.heading)?;
    if section.is_empty() {
        return writeln!(out, "<p>{NOTHING}</p>");
    }
    let sheet = &section.sheet;
    if !sheet.rows.is_empty() {
        writeln!(out, "<table>\n<thead><tr>")?;
        for column in &sheet.columns {
            writeln!(out, "<th{}>{}</th>", class(column), shown(&column.title()))?;
        }
        writeln!(out, "</tr></thead>\n<tbody>")?;
        rows(&sheet.columns, &sheet.rows, out)?;
        writeln!(out, "</tbody>")?;
        if !sheet.totals.is_empty() {
            writeln!(out, "<tfoot>")?;
            rows(&sheet.columns, &sheet.totals, out)?;
            writeln!(out, "</tfoot>")?;
        }
        writeln!(out, "</table>")?;
    }
    for note in &sheet.notes {
        writeln!(out, "<p class=\"note\">{}</p>", shown(note))?;
    }
    Ok(())
}

fn rows(columns: &[Column], rows: &[Vec<Cell>], out: &mut impl Write) -> io::Result<()> {
    for row in rows {
        write!(out, "<tr>")?;
        for (column, cell) in columns.iter().zip(row) {
            write!(
                out,
                "<td{}>{}</td>",
                class(column),
                shown(&cell.for_table())
            )?;
        }
        writeln!(out, "</tr>")?;
    }
    Ok(())
}

const fn class(column: &Column) -> &'static str {
    if column.right { " class=\"n\"" } else { "" }
}

/// Texts of senders are texts, and no elements.
fn shown(text: &str) -> String {
    escape(printable(text).as_str()).into_owned()
}
