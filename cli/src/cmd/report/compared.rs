//! A period beside the one before it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::output::{Cell, Column, Sheet};

/// Which columns of a report's sheet are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compared {
    /// So many columns behind the question's names say what a row is of: its currency, its reason.
    pub(super) keys: usize,
    /// The figures that get two more columns: how much more, and how much more in percent.
    pub(super) figures: &'static [&'static str],
}

/// The rows of both, each once: what it is of, and each figure with its change. A row that one
/// period alone has counts nothing in the other.
pub(super) fn join(now: Sheet, before: Sheet, names: usize, compared: Compared) -> Sheet {
    let keys = names + compared.keys;
    let places = (0..now.columns.len())
        .filter(|&place| place >= keys && compared.figures.contains(&&*now.columns[place].name));
    let places: Vec<usize> = places.collect();
    let mut columns = now.columns[..keys].to_vec();
    for &place in &places {
        columns.extend(with_change(&now.columns[place]));
    }
    let rows = |now: Vec<Vec<Cell>>, before: Vec<Vec<Cell>>| beside(now, before, keys, &places);
    let mut joined = Sheet {
        columns,
        rows: rows(now.rows, before.rows),
        totals: rows(now.totals, before.totals),
        meta: now.meta,
        notes: now.notes,
    };
    // Where rows are by nothing, they are the totals.
    let totals = if names == 0 {
        &joined.rows
    } else {
        &joined.totals
    };
    if let Some(Value::Array(known)) = joined.meta.get_mut("totals") {
        tell_changes(
            known,
            &joined.columns[names..],
            totals,
            names,
            compared.keys,
        );
    }
    joined
}

/// The totals for programs, with the changes that those for people have. `columns` are those behind
/// the question's names, the first `keys` of which say what a total is of.
fn tell_changes(
    known: &mut Vec<Value>,
    columns: &[Column],
    totals: &[Vec<Cell>],
    names: usize,
    keys: usize,
) {
    for total in totals {
        let cells = columns.iter().zip(&total[names..]);
        let facts = cells.map(|(column, cell)| (column.name.to_string(), cell.for_json()));
        let facts: Map<String, Value> = facts.collect();
        let is_same = |one: &&mut Value| {
            let mut keys = columns[..keys].iter();
            keys.all(|key| one.get(&*key.name) == facts.get(&*key.name))
        };
        match known.iter_mut().find(is_same) {
            Some(Value::Object(one)) => one.extend(facts),
            _ => known.push(Value::Object(facts)),
        }
    }
}

fn with_change(column: &Column) -> [Column; 3] {
    let more = |name: &str, heading: &str| Column {
        name: format!("{}_{name}", column.name).into(),
        heading: heading.to_owned().into(),
        right: true,
    };
    [
        column.clone(),
        more("change", "±"),
        more("change_percent", "± %"),
    ]
}

fn beside(
    now: Vec<Vec<Cell>>,
    before: Vec<Vec<Cell>>,
    keys: usize,
    places: &[usize],
) -> Vec<Vec<Cell>> {
    let key = |row: &[Cell]| row[..keys].iter().map(Cell::for_csv).collect::<Vec<_>>();
    let mut left: BTreeMap<_, _> = before.into_iter().map(|row| (key(&row), row)).collect();
    let mut rows = Vec::with_capacity(now.len());
    for row in now {
        let other = left.remove(&key(&row));
        rows.push(changed(&row[..keys], Some(&row), other.as_deref(), places));
    }
    for other in left.into_values() {
        rows.push(changed(&other[..keys], None, Some(&other), places));
    }
    rows
}

fn changed(
    key: &[Cell],
    now: Option<&[Cell]>,
    before: Option<&[Cell]>,
    places: &[usize],
) -> Vec<Cell> {
    let mut cells = key.to_vec();
    for &place in places {
        let (now, before) = (now.map(|row| &row[place]), before.map(|row| &row[place]));
        cells.extend(change(now, before));
    }
    cells
}

/// What is not there is nothing of the kind of what is.
fn change(now: Option<&Cell>, before: Option<&Cell>) -> [Cell; 3] {
    match (now, before) {
        (Some(Cell::Count(_)), _) | (None, Some(Cell::Count(_))) => {
            let (now, before) = (count(now), count(before));
            let difference = i64::try_from(i128::from(now) - i128::from(before));
            let change = difference.map_or(Cell::Missing, Cell::Difference);
            [Cell::Count(now), change, percent(now.into(), before.into())]
        }
        (Some(Cell::Money(_)), _) | (None, Some(Cell::Money(_))) => {
            let (now, before) = (units(now), units(before));
            let change = Cell::Money(now.saturating_sub(before));
            [Cell::Money(now), change, percent(now, before)]
        }
        // A share changes by points.
        (Some(Cell::Percent(now)), Some(Cell::Percent(before))) => [
            Cell::Percent(*now),
            Cell::Percent(now - before),
            Cell::Missing,
        ],
        (now, _) => [
            now.cloned().unwrap_or(Cell::Missing),
            Cell::Missing,
            Cell::Missing,
        ],
    }
}

fn count(cell: Option<&Cell>) -> u64 {
    match cell {
        Some(Cell::Count(count)) => *count,
        _ => 0,
    }
}

fn units(cell: Option<&Cell>) -> i128 {
    match cell {
        Some(Cell::Money(units)) => *units,
        _ => 0,
    }
}

/// Nothing can be a share of nothing.
#[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
fn percent(now: i128, before: i128) -> Cell {
    if before == 0 {
        return Cell::Missing;
    }
    Cell::Percent(100.0 * (now.saturating_sub(before)) as f64 / before.unsigned_abs() as f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::{number, text};

    fn sheet(rows: Vec<Vec<Cell>>) -> Sheet {
        let mut sheet = Sheet::new(&[
            text("source", "Source"),
            text("currency", "Currency"),
            number("orders", "Orders"),
            number("net", "Net"),
            number("share", "Share"),
            number("left_out", "Left out"),
        ]);
        sheet.rows = rows;
        sheet
    }

    fn row(source: &str, currency: &str, orders: u64, net: i128, share: f64) -> Vec<Cell> {
        vec![
            Cell::text(source),
            Cell::text(currency),
            Cell::Count(orders),
            Cell::Money(net),
            Cell::Percent(share),
            Cell::Count(1),
        ]
    }

    #[test]
    fn each_row_stands_once_with_its_change() {
        let now = sheet(vec![
            row("us", "USD", 12, 1_500_000, 8.0),
            row("us", "EUR", 1, 0, 0.0),
        ]);
        let before = sheet(vec![
            row("us", "USD", 10, -1_000_000, 5.5),
            row("eu", "EUR", 4, 80_000, 0.0),
        ]);
        let compared = Compared {
            keys: 1,
            figures: &["orders", "net", "share"],
        };
        let joined = join(now, before, 1, compared);
        let names: Vec<&str> = joined.columns.iter().map(|column| &*column.name).collect();
        assert_eq!(
            names[..4],
            ["source", "currency", "orders", "orders_change"]
        );
        assert_eq!(names.len(), 2 + 3 * 3);
        let shown = |row: &Vec<Cell>| row.iter().map(Cell::for_csv).collect::<Vec<_>>().join(" ");
        let rows: Vec<String> = joined.rows.iter().map(shown).collect();
        assert_eq!(
            rows,
            [
                "us USD 12 2 20.00 150.00 250.00 250.00 8.00 2.50 ",
                "us EUR 1 1  0.00 0.00  0.00  ",
                "eu EUR 0 -4 -100.00 0.00 -8.00 -100.00   ",
            ]
        );
    }

    #[test]
    fn totals_for_programs_have_the_changes_too() {
        let total = |currency, orders, net| row("total", currency, orders, net, 0.0);
        let mut now = sheet(Vec::new());
        now.totals = vec![total("USD", 12, 1_500_000)];
        now.fact(
            "totals",
            json!([{"currency": "USD", "orders": 12, "gross": "160.00", "net": "150.00"}]),
        );
        let mut before = sheet(Vec::new());
        before.totals = vec![total("EUR", 4, 80_000), total("USD", 10, -1_000_000)];
        let compared = Compared {
            keys: 1,
            figures: &["orders", "net"],
        };
        let joined = join(now, before, 1, compared);
        let expected = json!([
            {"currency": "USD", "orders": 12, "orders_change": 2, "orders_change_percent": 20.0,
             "gross": "160.00", "net": "150.00", "net_change": "250.00", "net_change_percent": 250.0},
            {"currency": "EUR", "orders": 0, "orders_change": -4, "orders_change_percent": -100.0,
             "net": "0.00", "net_change": "-8.00", "net_change_percent": -100.0},
        ]);
        assert_eq!(joined.meta["totals"], expected);
    }
}
