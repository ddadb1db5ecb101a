//! Tables for people.

use std::io::{self, Write};

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width,
};

use super::money::{decimals, money_to};
use super::{Cell, Column, Sheet, printable};

/// A line under the heading and no other.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A narrow terminal folds columns of longer texts than this, and no others: a figure or a date in
/// two halves is read wrongly.
const UNFOLDED: u16 = 40;

/// A column that is folded stays as wide as this, where the table does not fit into the terminal
/// even so: one character a line is read by nobody.
const NARROWEST: u16 = 20;

/// A column is as wide as its longest text in every row: so many characters are written of one at
/// most. A few rows are shown whole, whatever they hold.
const COLUMN: usize = 4_000_000;

/// So many characters of a text are shown in any table.
const SHOWN: usize = 500;

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

/// Writes rows alone, under a table that was written before.
pub(super) fn write_on(sheet: &Sheet, out: &mut impl Write) -> io::Result<()> {
    let lines = lines(sheet, false);
    let rule = lines.iter().position(|line| line.starts_with('─'));
    for line in lines.iter().skip(rule.map_or(0, |rule| rule + 1)) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn lines(sheet: &Sheet, dynamic: bool) -> Vec<String> {
    let mut lines: Vec<String> = table(sheet, dynamic)
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    underline_totals(&mut lines, sheet);
    lines
}

fn table(sheet: &Sheet, dynamic: bool) -> Table {
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
    let most = (COLUMN / sheet.rows.len().max(1)).max(SHOWN);
    for row in sheet.rows.iter().chain(&sheet.totals) {
        let cells = sheet.columns.iter().zip(row).zip(&decimals);
        table.add_row(cells.map(|((column, cell), decimals)| match cell {
            Cell::Money(units) => aligned(column, &money_to(*units, *decimals)),
            cell => aligned(column, &cut(printable(&cell.for_table()), most)),
        }));
    }
    let widths = table.column_max_content_widths();
    for (column, width) in table.column_iter_mut().zip(widths) {
        column.set_padding(PADDING);
        column.set_constraint(if width <= UNFOLDED {
            ColumnConstraint::ContentWidth
        } else {
            // Its padding counts.
            let padding = PADDING.0 + PADDING.1;
            ColumnConstraint::LowerBoundary(Width::Fixed(NARROWEST + padding))
        });
    }
    table
}

/// So many characters of a longer text, and how long it is; other forms of output have all of it.
fn cut(text: String, most: usize) -> String {
    // A text has no more characters than bytes.
    if text.len() <= most {
        return text;
    }
    let Some((end, _)) = text.char_indices().nth(most) else {
        return text;
    };
    let length = text.chars().count();
    format!(
        "{}… ({length} characters; -o jsonl shows all)",
        &text[..end]
    )
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

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;

    /// So many rows, one of which has a text of so many characters.
    fn sheet(rows: usize, length: usize) -> Sheet {
        let mut sheet = Sheet::new(&[text("a", "A"), text("b", "B")]);
        sheet.rows = vec![vec![Cell::text("1"), Cell::text("x")]; rows];
        sheet.rows[0][0] = Cell::Text("é".repeat(length));
        sheet
    }

    /// Whether a row is made of these two.
    fn has_row(written: &str, cells: [&str; 2]) -> bool {
        let mut lines = written.lines();
        lines.any(|line| line.split_whitespace().eq(cells))
    }

    fn written(sheet: &Sheet) -> String {
        let mut out = Vec::new();
        write(sheet, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_long_text_among_many_rows_is_cut() {
        let long = written(&sheet(20_000, 16_000));
        let told = format!(
            "\n{}… (16000 characters; -o jsonl shows all)",
            "é".repeat(500)
        );
        assert!(long.contains(&told), "{long:.1000}");
        assert!(long.len() < 20_000 * 600, "{}", long.len());
        let fits = written(&sheet(20_000, 500));
        assert!(has_row(&fits, [&"é".repeat(500), "x"]));
    }

    /// As a terminal of 80 columns has it.
    fn folded(sheet: &Sheet) -> Vec<String> {
        let mut table = table(sheet, true);
        table.set_width(80);
        table
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    #[test]
    fn a_long_text_is_folded_to_a_width_that_can_be_read() {
        // 30 characters of each: nothing is left of 80 columns.
        let mut columns = vec![text("advertiser", "Advertiser")];
        columns.extend(["A", "B", "C"].map(|name| text(name, name)));
        let mut sheet = Sheet::new(&columns);
        let figures = || vec![Cell::Text("9".repeat(30)); 3];
        sheet.rows = vec![
            [vec![Cell::Text("x".repeat(300))], figures()].concat(),
            [vec![Cell::text("Shoes and boots")], figures()].concat(),
        ];
        let lines = folded(&sheet);
        // Heading and rule, 300 characters by 20, and one line.
        assert_eq!(lines.len(), 2 + 15 + 1, "{lines:#?}");
        assert_eq!(lines[2].split_whitespace().next(), Some(&*"x".repeat(20)));
        assert!(lines[17].starts_with("Shoes and boots  "), "{lines:#?}");
    }

    #[test]
    fn a_long_text_takes_what_a_terminal_has_left() {
        let mut sheet = sheet(1, 300);
        sheet.rows[0][1] = Cell::Text("9".repeat(30));
        let lines = folded(&sheet);
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{lines:#?}"
        );
        // 80 columns less 30, and less the blanks between and behind.
        let widest = lines.iter().map(|line| line.matches('é').count()).max();
        assert!(
            widest.is_some_and(|widest| (44..=48).contains(&widest)),
            "{lines:#?}"
        );
    }

    #[test]
    fn a_few_rows_are_whole() {
        let whole = written(&sheet(20, 16_000));
        assert!(has_row(&whole, [&"é".repeat(16_000), "x"]));
    }
}
