//! The figures as a sheet.

use postback_store::reports::question::Question;
use postback_store::reports::summary::{Figures, Summary};
use serde_json::Map;

use super::super::frame::names;
use crate::output::{Cell, Column, Sheet, number, text};

const FIGURES: &[Column] = &[
    text("currency", "Currency"),
    number("orders", "Orders"),
    number("transactions", "Trans-\nactions"),
    number("reversals", "Re-\nversals"),
    number("gross_sales", "Sales\ngross"),
    number("reversed_sales", "Sales\nreversed"),
    number("net_sales", "Sales\nnet"),
    number("gross_commission", "Comm.\ngross"),
    number("reversed_commission", "Comm.\nreversed"),
    number("net_commission", "Comm.\nnet"),
    number("signals", "Signals"),
    number("unattributed_percent", "Unattri-\nbuted %"),
];

/// One row for each of the report's, one total for each currency.
pub(super) fn of(found: &Summary, question: &Question) -> Sheet {
    let names = names(question);
    let columns = [&names, FIGURES].concat();
    let mut sheet = Sheet::new(&columns);
    let named = |figures: &Figures| figures.dimension.iter().map(Cell::text).collect();
    sheet.rows = found
        .rows
        .iter()
        .map(|row| cells(named(row), row))
        .collect();
    if !names.is_empty() {
        let empty = vec![Cell::Missing; names.len() - 1];
        let total = [vec![Cell::text("total")], empty].concat();
        let totals = found.totals.iter();
        sheet.totals = totals.map(|row| cells(total.clone(), row)).collect();
    }
    let total = |row: &Figures| {
        let cells = cells(Vec::new(), row);
        let named = FIGURES.iter().zip(&cells);
        named
            .map(|(column, cell)| (column.name.to_string(), cell.for_json()))
            .collect::<Map<_, _>>()
    };
    sheet.fact("totals", found.totals.iter().map(total).collect::<Vec<_>>());
    sheet.fact("unknown_kind", found.unknown);
    sheet.fact("unknown_currency", found.without_currency);
    sheet.fact("rejected_by_network", found.rejected);
    sheet.fact("undated", found.undated);
    sheet
}

fn cells(mut names: Vec<Cell>, row: &Figures) -> Vec<Cell> {
    names.extend([
        Cell::text(&row.currency),
        Cell::Count(row.orders),
        Cell::Count(row.transactions),
        Cell::Count(row.reversals),
        Cell::Money(row.gross_sales.0),
        Cell::Money(row.reversed_sales.0),
        Cell::Money(row.net_sales().0),
        Cell::Money(row.gross_commission.0),
        Cell::Money(row.reversed_commission.0),
        Cell::Money(row.net_commission().0),
        Cell::Count(row.signals),
        row.unattributed_percent()
            .map_or(Cell::Missing, Cell::Percent),
    ]);
    names
}
