//! What was fetched from the network's own API, against what it pushed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postback_common::config::SourceSettings;
use postback_store::endpoints::Outage;
use postback_store::reports::Reader;
use postback_store::reports::pushes::{Missed, Pushes, Report};
use postback_store::reports::question::Question;
use postback_store::reports::share::Share;
use postback_store::{Client, Role, StoreError, backfills, client, endpoints};
use serde_json::json;

use super::{Class, Gap};
use crate::arguments::Options;
use crate::cmd::report::{frame, sources};
use crate::cmd::{load, names};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag;
use crate::output::{Cell, Sheet, number, plural, text};
use crate::range::shown;
use crate::servers::Trouble;

/// Runs of backfills that are looked at, the newest.
const RUNS: u32 = 10_000;

/// A time of a source that was fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fetched {
    source: String,
    from: Timestamp,
    to: Timestamp,
}

pub(super) async fn run(
    gap: &Gap,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let question = gap.rows.of_events(&["day"], &frame::now(options))?;
    let lists = match gap.class {
        None => false,
        Some(Class::Missed) => true,
        Some(_) => {
            return Err(Failure::Usage(
                "of events, only missed pushes can be listed\n  write --with events --class missed"
                    .to_owned(),
            ));
        }
    };
    let loaded = load(options, console)?;
    let clickhouse = &loaded.settings.clickhouse;
    let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
    let reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
    sources::check(&question.only, &loaded.settings, &reader).await?;
    let complete = reader.completeness(question.from, question.to, &question.only);
    let complete = complete.await.map_err(trouble)?;
    let lag = lag::of_generation(&loaded.settings, reader.generation()).await;
    let client = client(clickhouse, Role::Query).map_err(trouble)?;
    let off = off(&client, &loaded.settings.sources, &question);
    let off = off.await.map_err(trouble)?;
    let fetched = fetched(&client, &question).await.map_err(trouble)?;
    let mut cut = None;
    let (mut sheet, missed) = if lists {
        let list = reader.missed_pushes(&question, &off, gap.most());
        let list = list.await.map_err(trouble)?;
        let total = list.first().map_or(0, |row| row.total);
        cut = super::listed::cut(list.len(), total, &plural(total, "transaction"));
        (listed(&list, &question), total)
    } else {
        let report = reader.pushes(&question, &off).await.map_err(trouble)?;
        let missed = report.totals.iter().map(|total| total.missed).sum();
        (figures(&report, &question), missed)
    };
    for (name, value) in frame::facts("gap", &question) {
        sheet.fact(name, value);
    }
    sheet.fact("with", "events");
    tell_fetched(&mut sheet, &fetched, &question);
    let about = frame::About {
        of_money: true,
        of_rejects: false,
    };
    frame::finish(sheet, about, &complete, &lag, options, console)?;
    if let Some(words) = cut {
        console.warn(words);
    }
    Ok(if missed > 0 {
        Ending::Found
    } else {
        Ending::Done
    })
}

fn figures(report: &Report, question: &Question) -> Sheet {
    let names = frame::names(question);
    let own = [
        text("currency", "Currency"),
        number("transactions", "Trans-\nactions"),
        number("pushed", "Pushed"),
        number("missed", "Missed"),
        number("missed_percent", "Missed\n%"),
        number("missed_sales", "Sales\nmissed"),
        number("missed_commission", "Commission\nmissed"),
        number("while_off", "Endpoint\noff"),
        number("while_refused", "Requests\nrefused"),
        number("unknown", "Cause\nunknown"),
    ];
    let mut sheet = Sheet::new(&[&names[..], &own].concat());
    let rows = report.rows.iter();
    sheet.rows = rows
        .map(|row| cells(row.dimension.iter().map(Cell::text).collect(), row))
        .collect();
    if !names.is_empty() {
        let mut total = vec![Cell::text("total")];
        total.resize(names.len(), Cell::Missing);
        let totals = report.totals.iter();
        sheet.totals = totals.map(|row| cells(total.clone(), row)).collect();
    }
    let missed: u64 = report.totals.iter().map(|total| total.missed).sum();
    if report.totals.is_empty() {
        sheet
            .notes
            .push("No transaction was processed in this range.".to_owned());
    } else if missed == 0 {
        sheet
            .notes
            .push("Nothing that was fetched had not been pushed before.".to_owned());
    } else {
        sheet
            .notes
            .push("List the missed pushes with --class missed".to_owned());
    }
    if report.undated > 0 {
        sheet.notes.push(format!(
            "{} without the time of processing in no row: add process_date to the URL that is registered with the network",
            plural(report.undated, "conversion")
        ));
    }
    sheet
}

fn cells(mut cells: Vec<Cell>, row: &Pushes) -> Vec<Cell> {
    let share = Share::new(row.missed, row.transactions);
    cells.extend([
        Cell::text(&row.currency),
        Cell::Count(row.transactions),
        Cell::Count(row.transactions - row.missed),
        Cell::Count(row.missed),
        share.percent().map_or(Cell::Missing, Cell::Percent),
        Cell::Money(row.missed_sales.0),
        Cell::Money(row.missed_commission.0),
        Cell::Count(row.while_off),
        Cell::Count(row.while_refused),
        Cell::Count(row.unknown()),
    ]);
    cells
}

fn listed(list: &[Missed], question: &Question) -> Sheet {
    let mut sheet = Sheet::new(&[
        text("transaction_id", "Transaction"),
        text("order_id", "Order"),
        text("advertiser", "Advertiser"),
        text("click_id", "Click id"),
        text("occurred_at", "Occurred"),
        text("processed_at", "Processed"),
        text("fetched_at", "Fetched"),
        number("sale_amount", "Sale"),
        number("commission", "Commission"),
        text("currency", ""),
        text("why", "Why"),
    ]);
    let time = |at: Option<Timestamp>| {
        at.map_or(Cell::Missing, |at| Cell::Text(shown(at, &question.zone)))
    };
    let row = |row: &Missed| {
        vec![
            Cell::text(&row.transaction_id),
            Cell::text(&row.order_id),
            Cell::text(&row.advertiser_id),
            Cell::text(&row.click_id),
            time(row.occurred_at),
            time(row.processed_at),
            time(Some(row.fetched_at)),
            row.sale_amount
                .map_or(Cell::Missing, |money| Cell::Money(money.0)),
            row.commission
                .map_or(Cell::Missing, |money| Cell::Money(money.0)),
            Cell::text(&row.currency),
            Cell::text(&row.why),
        ]
    };
    sheet.rows = list.iter().map(row).collect();
    let total = list.first().map_or(0, |row| row.total);
    sheet.fact("class", "missed");
    sheet.fact("transactions", total);
    if total == 0 {
        let note = "No transaction of this range was fetched that had not been pushed.";
        sheet.notes.push(note.to_owned());
    }
    sheet
}

/// Only what was fetched can be seen to be missing.
fn tell_fetched(sheet: &mut Sheet, fetched: &[Fetched], question: &Question) {
    let zone = &question.zone;
    let all = fetched.iter().map(|one| {
        json!({"source": one.source, "from": shown(one.from, zone), "to": shown(one.to, zone)})
    });
    sheet.fact("fetched", all.collect::<Vec<_>>());
    if fetched.is_empty() {
        sheet.notes.push(
            "Nothing of this range was fetched from a network's API, so no push can be seen to be missing: \
             fetch it with `postback backfill --source NAME --from … --to …` (docs/backfill.md)"
                .to_owned(),
        );
    }
    for one in fetched {
        sheet.notes.push(format!(
            "fetched of {}: {} until {}",
            one.source,
            shown(one.from, zone),
            shown(one.to, zone)
        ));
    }
}

/// When the networks sent nothing, by each name that a source has or had: rows keep the one under which
/// they came, and an outage may have more than one.
async fn off(
    client: &Client,
    sources: &[SourceSettings],
    question: &Question,
) -> Result<Vec<Outage>, StoreError> {
    let older = names::older(sources);
    let off = endpoints::outages(client, &older, question.from, question.to).await?;
    Ok(by_each_name(off, &older))
}

fn by_each_name(mut off: Vec<Outage>, older: &BTreeMap<&str, &str>) -> Vec<Outage> {
    let of_older = |(older, now): (&&str, &&str)| {
        let of_it = off.iter().filter(|outage| outage.source == *now);
        let renamed = of_it.map(|outage| Outage {
            source: (*older).to_owned(),
            ..outage.clone()
        });
        renamed.collect::<Vec<_>>()
    };
    let renamed: Vec<Outage> = older.iter().flat_map(of_older).collect();
    off.extend(renamed);
    off
}

/// What was fetched of the range, by source, oldest first; times that touch are one.
async fn fetched(client: &Client, question: &Question) -> Result<Vec<Fetched>, StoreError> {
    let runs = backfills::latest(client, None, RUNS).await?;
    let within = runs.into_iter().filter_map(|run| {
        let end = if run.is_finished {
            run.range_to
        } else {
            run.done_through
        };
        let (from, to) = (run.range_from.max(question.from), end.min(question.to));
        (from < to).then_some(Fetched {
            source: run.source,
            from,
            to,
        })
    });
    Ok(joined(within.collect()))
}

fn joined(mut times: Vec<Fetched>) -> Vec<Fetched> {
    times.sort();
    let mut joined: Vec<Fetched> = Vec::new();
    for time in times {
        match joined.last_mut() {
            Some(last) if last.source == time.source && time.from <= last.to => {
                last.to = last.to.max(time.to);
            }
            _ => joined.push(time),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use postback_store::endpoints::State;

    use super::*;

    fn time(source: &str, from: i64, to: i64) -> Fetched {
        let at = |second| Timestamp::from_second(second).unwrap();
        Fetched {
            source: source.to_owned(),
            from: at(from),
            to: at(to),
        }
    }

    #[test]
    fn an_outage_is_one_of_every_name_that_the_source_had() {
        let outage = |source: &str| Outage {
            source: source.to_owned(),
            state: State::Disabled,
            from: Timestamp::UNIX_EPOCH,
            seen_at: Timestamp::UNIX_EPOCH,
            to: None,
            over_at: None,
        };
        let older = BTreeMap::from([("kiosk", "shop"), ("stall", "shop"), ("x", "y")]);
        let found = by_each_name(vec![outage("other"), outage("shop")], &older);
        let expected = ["other", "shop", "kiosk", "stall"].map(outage);
        assert_eq!(found, expected);
    }

    #[test]
    fn times_that_touch_are_one() {
        let times = vec![
            time("b", 0, 10),
            time("a", 20, 30),
            time("a", 0, 10),
            time("a", 10, 15),
            time("a", 5, 8),
        ];
        let expected = [time("a", 0, 15), time("a", 20, 30), time("b", 0, 10)];
        assert_eq!(joined(times), expected);
    }
}
