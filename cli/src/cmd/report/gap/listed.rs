//! Orders one by one.

use postback_store::reports::gap::{Comparison, Listed};

use super::{Class, noun};
use crate::output::{Cell, Sheet, number, plural, text};
use crate::range::shown;

pub(super) fn sheet(list: &[Listed], class: Class, asked: &Comparison) -> Sheet {
    let mut sheet = Sheet::new(&[
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
    ]);
    sheet.rows = list.iter().map(|row| cells(row, asked)).collect();
    let total = list.first().map_or(0, |row| row.total);
    sheet.fact("class", format!("{class:?}").to_lowercase());
    sheet.fact("orders", total);
    let noun = noun(asked.own);
    if total == 0 {
        sheet
            .notes
            .push(format!("No {noun} of this range is of that class."));
    }
    sheet
}

/// What to say of a list that is not whole.
pub(super) fn cut(listed: usize, total: u64, noun: &str) -> Option<String> {
    (total > listed as u64).then(|| {
        format!(
            "only the first {listed} of {}: raise --limit, --limit 0 lists all",
            plural(total, noun)
        )
    })
}

fn cells(row: &Listed, asked: &Comparison) -> Vec<Cell> {
    // Money of a side that has nothing to say is none, not zero.
    let amount = |currency: &str, amount: i128| {
        if currency.is_empty() && amount == 0 {
            Cell::Missing
        } else {
            Cell::Money(amount)
        }
    };
    vec![
        Cell::text(&row.order_no),
        Cell::Text(shown(row.occurred_at, &asked.question.zone)),
        Cell::text(&row.advertiser_id),
        Cell::text(&row.class),
        Cell::text(&row.own_status),
        amount(&row.own_currency, row.own_amount.0),
        Cell::text(&row.own_currency),
        amount(&row.their_currency, row.their_amount.0),
        Cell::text(&row.their_currency),
        Cell::text(&row.own_click),
        Cell::text(&row.their_click),
    ]
}
