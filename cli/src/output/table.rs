//! Tables for people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::{Cell, Column, Sheet};

/// A line under the heading and no other.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The heading and the line under it.
const HEADING_LINES: usize = 2;

/// Writes rows, totals under a line, and notes. `dynamic` fits the table to the terminal; elsewhere
/// it is as wide as it is.
pub(super) fn write(sheet: &Sheet, dynamic: bool, out: &mut impl Write) -> io::Result<()> {
    if !sheet.rows.is_empty() {
        for line in lines(sheet, dynamic) {
            writeln!(out, "{line}")?;
        }
        if !sheet.notes.is_empty() {
            writeln!(out)?;
        }
    }
    for note in &sheet.notes {
        writeln!(out, "{note}")?;
    }
    Ok(())
}

fn lines(sheet: &Sheet, dynamic: bool) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_content_arrangement(if dynamic {
        ContentArrangement::Dynamic
    } else {
        ContentArrangement::Disabled
    });
    table.set_header(
        sheet
            .columns
            .iter()
            .map(|column| aligned(column, column.heading)),
    );
    for row in sheet.rows.iter().chain(&sheet.totals) {
        let cells = sheet.columns.iter().zip(row);
        table.add_row(cells.map(|(column, cell)| aligned(column, &printable(cell))));
    }
    let mut lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    underline_totals(&mut lines, sheet);
    lines
}

/// Totals stand under a line like the heading's. Not where rows were folded to fit a terminal: the
/// place is not known there.
fn underline_totals(lines: &mut Vec<String>, sheet: &Sheet) {
    let above = HEADING_LINES + sheet.rows.len();
    let unfolded = lines.len() == above + sheet.totals.len();
    if let (false, true, Some(rule)) = (sheet.totals.is_empty(), unfolded, lines.get(1).cloned()) {
        lines.insert(above, rule);
    }
}

fn aligned(column: &Column, text: &str) -> comfy_table::Cell {
    let alignment = if column.right {
        CellAlignment::Right
    } else {
        CellAlignment::Left
    };
    comfy_table::Cell::new(text).set_alignment(alignment)
}

/// Senders choose some texts: a control character must not steer the terminal.
fn printable(cell: &Cell) -> String {
    let text = cell.for_table();
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}
