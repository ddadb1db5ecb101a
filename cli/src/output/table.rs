//! Tables for people.

use std::io::{self, Write};

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle,
};

use super::money::{decimals, money_to};
use super::{Cell, Column, Sheet, printable};

/// A line under the heading and no other.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A narrow terminal folds columns of longer texts than this, and no others: a figure or a date in
/// two halves is read wrongly.
const UNFOLDED: u16 = 40;

/// Spaces left and right of a cell.
const PADDING: (u16, u16) = (0, 2);

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
            .map(|column| aligned(column, &column.heading)),
    );
    let decimals = decimals_by_column(sheet);
    for row in sheet.rows.iter().chain(&sheet.totals) {
        let cells = sheet.columns.iter().zip(row).zip(&decimals);
        table.add_row(cells.map(|((column, cell), decimals)| match cell {
            Cell::Money(units) => aligned(column, &money_to(*units, *decimals)),
            cell => aligned(column, &printable(&cell.for_table())),
        }));
    }
    let widths = table.column_max_content_widths();
    for (column, width) in table.column_iter_mut().zip(widths) {
        column.set_padding(PADDING);
        if width <= UNFOLDED {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
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

/// Under each other, amounts have their decimal points in one line.
fn decimals_by_column(sheet: &Sheet) -> Vec<usize> {
    let needed = |cell: &Cell| match cell {
        Cell::Money(units) => decimals(*units),
        _ => 0,
    };
    let mut most = vec![0; sheet.columns.len()];
    for row in sheet.rows.iter().chain(&sheet.totals) {
        for (most, cell) in most.iter_mut().zip(row) {
            *most = needed(cell).max(*most);
        }
    }
    most
}

fn aligned(column: &Column, text: &str) -> comfy_table::Cell {
    let alignment = if column.right {
        CellAlignment::Right
    } else {
        CellAlignment::Left
    };
    comfy_table::Cell::new(text).set_alignment(alignment)
}
