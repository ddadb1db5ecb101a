//! The figures as a sheet.

use std::collections::BTreeSet;

use postback_store::reports::gap::{Comparison, Figures, Gap, Own};
use serde_json::json;

use super::counted;
use super::usual::{DAYS, Usual};
use crate::cmd::report::frame::names;
use crate::output::{Cell, Sheet, number, plural, text};

pub(super) fn of(gap: &Gap, asked: &Comparison, usual: Option<&Usual>) -> Sheet {
    let names = names(&asked.question);
    let own = [
        text("currency", "Currency"),
        number("orders", "Orders"),
        number("matched", "Matched"),
        number("explained", "Ex-\nplained"),
        number("immature", "Im-\nmature"),
        number("unexplained", "Unex-\nplained"),
        number("gap_percent", "Gap\n%"),
        text("widened", "Wider than\nusual"),
        number("own_amount", "Amount"),
        number("unexplained_amount", "Amount\nunexplained"),
        number("gap_money_percent", "Gap %\nof money"),
        number("extra", "Extra"),
    ];
    let mut sheet = Sheet::new(&[&names[..], &own].concat());
    let cells = |dimension: Vec<Cell>, row: &Figures| cells(dimension, row, usual);
    sheet.rows = gap
        .rows
        .iter()
        .map(|row| cells(row.dimension.iter().map(Cell::text).collect(), row))
        .collect();
    if !names.is_empty() {
        let mut total = vec![Cell::text("total")];
        total.resize(names.len(), Cell::Missing);
        sheet.totals = gap
            .totals
            .iter()
            .map(|row| cells(total.clone(), row))
            .collect();
    }
    let widened = |row: &&Figures| usual.is_some_and(|usual| usual.is_widened(row.gap()));
    // A day, or whatever rows are by, has a row for each currency.
    let widened = gap.rows.iter().filter(widened).map(|row| &row.dimension);
    sheet.fact("widened", widened.collect::<BTreeSet<_>>().len());
    for (name, value) in facts(gap, usual) {
        sheet.fact(name, value);
    }
    sheet.notes = notes(gap, asked, usual);
    sheet
}

fn cells(mut cells: Vec<Cell>, row: &Figures, usual: Option<&Usual>) -> Vec<Cell> {
    let percent = |percent: Option<f64>| percent.map_or(Cell::Missing, Cell::Percent);
    cells.extend([
        Cell::text(&row.currency),
        Cell::Count(row.own),
        Cell::Count(row.matched),
        Cell::Count(row.explained()),
        Cell::Count(row.immature),
        Cell::Count(row.unexplained()),
        percent(row.gap().percent()),
        usual.map_or(Cell::Missing, |usual| {
            Cell::Flag(usual.is_widened(row.gap()))
        }),
        Cell::Money(row.own_amount.0),
        Cell::Money(row.unexplained_amount.0),
        percent(row.money_percent()),
        Cell::Count(row.extra),
    ]);
    cells
}

fn facts(gap: &Gap, usual: Option<&Usual>) -> Vec<(&'static str, serde_json::Value)> {
    let sum = |figure: fn(&Figures) -> u64| gap.totals.iter().map(figure).sum::<u64>();
    let explained = json!({
        "reversed": sum(|row| row.reversed),
        "cancelled": sum(|row| row.cancelled),
        "returned": sum(|row| row.returned),
        "out_of_network": sum(|row| row.out_of_network),
    });
    let usual = usual.map(|usual| {
        let round = |number: f64| (number * 100.0).round() / 100.0;
        json!({
            "days": usual.days,
            "median_percent": round(usual.median),
            "low_percent": round(usual.low),
            "high_percent": round(usual.high),
        })
    });
    vec![
        ("explained_by", explained),
        ("signal_only", sum(|row| row.signal_only).into()),
        ("standing", sum(|row| row.standing).into()),
        ("other_amounts", sum(|row| row.other_amounts).into()),
        ("other_currencies", sum(|row| row.other_currencies).into()),
        ("other_clicks", sum(|row| row.other_clicks).into()),
        ("usual", usual.into()),
        (
            "matched_by",
            if gap.by_advertiser {
                "order_id, advertiser_id"
            } else {
                "order_id"
            }
            .into(),
        ),
        ("own_unpriced", gap.own_unpriced.into()),
        ("own_unnumbered", gap.own_unnumbered.into()),
        ("their_unnumbered", gap.their_unnumbered.into()),
    ]
}

const OF_NO_CURRENCY: &str =
    "whose currency is missing, unknown, or several: counted, but their money is in no sum";

fn notes(gap: &Gap, asked: &Comparison, usual: Option<&Usual>) -> Vec<String> {
    if gap.totals.iter().all(|total| total.own == 0) {
        return nothing(gap, asked);
    }
    let sum = |figure: fn(&Figures) -> u64| gap.totals.iter().map(figure).sum::<u64>();
    let mut notes = Vec::new();
    let of_no_currency = gap.totals.iter().filter(|total| total.currency.is_empty());
    let (own, extra) = of_no_currency.fold((0, 0), |(own, extra), total| {
        (own + total.own, extra + total.extra)
    });
    let reasons = [
        ("taken back by the network", sum(|row| row.reversed)),
        ("cancelled", sum(|row| row.cancelled)),
        ("returned", sum(|row| row.returned)),
        ("out of network", sum(|row| row.out_of_network)),
    ];
    let reasons: Vec<String> = (reasons.iter())
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    if !reasons.is_empty() {
        notes.push(format!("explained: {}", reasons.join(", ")));
    }
    let remarks = [
        (
            sum(|row| row.signal_only),
            "known by an early signal alone: the transaction never came",
        ),
        (
            sum(|row| row.standing),
            "matched though cancelled, returned or out of network on your side: have the network take them back (--class standing)",
        ),
        (
            sum(|row| row.other_currencies),
            "matched in another currency, or in several (--class amounts)",
        ),
        (
            sum(|row| row.other_amounts),
            "matched with another amount (--class amounts)",
        ),
        (
            sum(|row| row.other_clicks),
            "matched with another click id (--class clicks)",
        ),
        (
            gap.own_unpriced,
            "without an amount: in no sum, and no amount is compared",
        ),
        (own, OF_NO_CURRENCY),
    ];
    for (count, remark) in remarks.iter().filter(|(count, _)| *count > 0) {
        notes.push(format!("{} {remark}", counted(asked.own, *count)));
    }
    if extra > 0 {
        let extra = plural(extra, "order");
        notes.push(format!("{extra} of the network alone {OF_NO_CURRENCY}"));
    }
    notes.push(told_usual(usual));
    if sum(Figures::unexplained) > 0 {
        notes.push(
            "List the unexplained ones for a support ticket with --class unexplained".to_owned(),
        );
    }
    let by = if gap.by_advertiser {
        "order number and advertiser"
    } else {
        "order number alone, since not every order names its advertiser"
    };
    notes.push(format!("compared by {by}"));
    notes.extend(unnumbered(gap, asked.own));
    notes
}

fn told_usual(usual: Option<&Usual>) -> String {
    match usual {
        Some(usual) => format!(
            "usual gap: {:.1} % ({:.1} to {:.1} % on nine of ten days, {} before the range)",
            usual.median,
            usual.low,
            usual.high,
            plural(usual.days as u64, "day")
        ),
        None => format!(
            "what gap is usual is not known yet: fewer than 7 of the {DAYS} days before the range have orders"
        ),
    }
}

fn unnumbered(gap: &Gap, own: Own) -> Vec<String> {
    let mut notes = Vec::new();
    if gap.own_unnumbered > 0 {
        notes.push(format!(
            "{} without an order number compared with nothing",
            counted(own, gap.own_unnumbered)
        ));
    }
    if gap.their_unnumbered > 0 {
        notes.push(format!(
            "{} without an order number: add order_id to the URL that is registered with the network",
            plural(gap.their_unnumbered, "transaction")
        ));
    }
    notes
}

fn nothing(gap: &Gap, asked: &Comparison) -> Vec<String> {
    let what = asked.own.as_str();
    let command = match asked.own {
        Own::Orders => "order",
        Own::Statements => "statement",
    };
    let extra: u64 = gap.totals.iter().map(|total| total.extra).sum();
    let compared = match extra {
        0 => String::new(),
        _ => format!(
            ", so there is nothing to compare {} with",
            plural(extra, "transaction")
        ),
    };
    let mut notes = vec![
        format!("There are no {what} in this range{compared}."),
        format!(
            "Bring them in with `postback {command} import FILE` (docs/orders.md), or check the range; \
             `postback {command} ls` lists the files that were imported."
        ),
    ];
    notes.extend(unnumbered(gap, asked.own));
    notes
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use postback_store::reports::question::{DateBy, Question};
    use postback_store::reports::share::Share;

    use super::*;

    fn row(day: &str, currency: &str, missing: u64) -> Figures {
        let mut row = Figures::default();
        row.dimension = vec![day.to_owned()];
        row.currency = currency.to_owned();
        row.own = 100;
        row.matched = 100 - missing;
        row.missing = missing;
        row
    }

    #[test]
    fn a_day_with_two_currencies_is_one_day() {
        let gap = Gap {
            rows: vec![
                row("2026-09-01", "EUR", 40),
                row("2026-09-01", "USD", 50),
                row("2026-09-02", "USD", 2),
                row("2026-09-03", "USD", 30),
            ],
            ..Gap::default()
        };
        let moment = Timestamp::UNIX_EPOCH;
        let asked = Comparison {
            question: Question::new(moment, moment, DateBy::Occurred, TimeZone::UTC),
            own: Own::Orders,
            sources: Vec::new(),
            accounts: Vec::new(),
            mature_until: moment,
        };
        let usual = Usual::of(&[Share::new(2, 100); 7]);
        let sheet = of(&gap, &asked, usual.as_ref());
        assert_eq!(sheet.meta["widened"], 2);
    }
}
