//! Tables for people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::{Column, Sheet, printable};

/// A line under the heading and no other.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

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
        table.add_row(cells.map(|(column, cell)| aligned(column, &printable(&cell.for_table()))));
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
    let Some(rule) = lines.iter().position(|line| line.starts_with('─')) else {
        return;
    };
    let above = rule + 1 + sheet.rows.len();
    if !sheet.totals.is_empty() && lines.len() == above + sheet.totals.len() {
        lines.insert(above, lines[rule].clone());
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
