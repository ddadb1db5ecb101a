//! Orders one by one.

use postback_store::reports::Money;
use postback_store::reports::gap::{Comparison, Listed};

use super::{Class, noun};
use crate::output::{Cell, Sheet, number, text};
use crate::range::shown;

/// `by_source`: a number can be that of an order of each of several sources.
pub(super) fn sheet(list: &[Listed], class: Class, asked: &Comparison, by_source: bool) -> Sheet {
    let mut columns = vec![
        text("order_id", "Order"),
        text("ordered_at", "Placed"),
        text("advertiser", "Advertiser"),
        text("class", "Class"),
        text("own_status", "Your status"),
        number("own_amount", "Your\namount"),
        text("own_currency", ""),
        number("network_amount", "Network's\namount"),
        text("network_currency", ""),
        text("own_click_id", "Your click id"),
        text("network_click_id", "Network's click id"),
    ];
    if by_source {
        columns.push(text("source", "Source"));
    }
    let mut sheet = Sheet::new(&columns);
    let row = |row: &Listed| {
        let mut cells = cells(row, asked);
        if by_source {
            cells.push(Cell::text(&row.source));
        }
        cells
    };
    sheet.rows = list.iter().map(row).collect();
    let total = list.first().map_or(0, |row| row.total);
    sheet.fact("class", format!("{class:?}").to_lowercase());
    sheet.fact("orders", total);
    if total == 0 {
        let noun = noun(asked.own);
        sheet
            .notes
            .push(format!("No {noun} of this range is of that class."));
    }
    sheet
}

/// What to say of a list that is not whole.
pub(super) fn cut(listed: usize, total: u64, all: &str) -> Option<String> {
    (total > listed as u64)
        .then(|| format!("only the first {listed} of {all}: raise --limit, --limit 0 lists all"))
}

fn cells(row: &Listed, asked: &Comparison) -> Vec<Cell> {
    // Money of a side that has nothing to say of it is none, not zero.
    let amount =
        |amount: Option<Money>| amount.map_or(Cell::Missing, |amount| Cell::Money(amount.0));
    vec![
        Cell::text(&row.order_no),
        Cell::Text(shown(row.occurred_at, &asked.question.zone)),
        Cell::text(&row.advertiser_id),
        Cell::text(&row.class),
        Cell::text(&row.own_status),
        amount(row.own_amount),
        Cell::text(&row.own_currency),
        amount(row.their_amount),
        Cell::text(&row.their_currency),
        Cell::text(&row.own_click),
        Cell::text(&row.their_click),
    ]
}
