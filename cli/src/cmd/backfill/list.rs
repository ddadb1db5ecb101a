//! `postback backfill ls`: what was fetched.

use postback_store::backfills::{self, Backfill};
use postback_store::{Role, client};
use serde_json::json;

use crate::arguments::Options;
use crate::cmd::report::PRELIMINARY;
use crate::cmd::{load, source};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, money, number, printable, text};
use crate::range::shown;
use crate::servers::Trouble;

/// Runs that are listed.
const LISTED: u32 = 1_000;

/// Lists the runs, the newest first.
pub(super) async fn run(
    named: Option<&str>,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let loaded = load(options, console)?;
    if let Some(name) = named {
        source::find(name, &loaded.settings)?;
    }
    let clickhouse = &loaded.settings.clickhouse;
    let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
    let client = client(clickhouse, Role::Query).map_err(trouble)?;
    let all = backfills::latest(&client, named, LISTED + 1).await;
    let mut all = all.map_err(trouble)?;
    let are_cut = all.len() > LISTED as usize;
    all.truncate(LISTED as usize);
    let mut sheet = Sheet::new(&[
        text("started_at", "Begun"),
        text("source", "Source"),
        text("from", "From"),
        text("to", "To"),
        number("pulled", "Fetched"),
        number("missing", "Missing"),
        number("changed", "Changed"),
        number("newer", "Newer"),
        text("lacked", "Missing money"),
        text("state", "State"),
        text("made_by", "By"),
    ]);
    sheet.rows = all.iter().map(|run| row(run, options)).collect();
    if sheet.rows.is_empty() {
        let nothing = "Nothing was fetched yet: `postback backfill --source NAME --from yesterday --dry-run`.";
        sheet.notes.push(nothing.to_owned());
    } else {
        sheet.notes.push(format!(
            "Missing money: sales of transactions that the tables lacked; {PRELIMINARY}"
        ));
    }
    sheet.fact("runs", all.iter().map(facts).collect::<Vec<_>>());
    sheet.write(options, console)?;
    if are_cut {
        console.warn(format_args!(
            "the newest {LISTED} are listed; all stand in the view backfills"
        ));
    }
    Ok(Ending::Done)
}

fn row(run: &Backfill, options: &Options) -> Vec<Cell> {
    let time = |at| Cell::Text(shown(at, &options.time_zone));
    let lacked = run.lacked().into_iter();
    let lacked =
        lacked.map(|(currency, lacked)| format!("{} {currency}", money(lacked.sale_amount.0)));
    vec![
        time(run.started_at),
        Cell::text(&run.source),
        time(run.range_from),
        time(run.range_to),
        Cell::Count(run.pulled),
        Cell::Count(run.missing),
        Cell::Count(run.changed),
        Cell::Count(run.newer),
        Cell::List(lacked.collect()),
        Cell::text(if run.is_finished {
            "finished"
        } else {
            "not finished: the same range goes on"
        }),
        Cell::Text(printable(&run.made_by)),
    ]
}

/// What a table has no room for.
fn facts(run: &Backfill) -> serde_json::Value {
    json!({
        "id": run.id,
        "matched": run.matched,
        "undecided": run.undecided,
        "rejected": run.rejected,
        "superseded": run.superseded,
        "done_through": run.done_through.to_string(),
        "is_finished": run.is_finished,
    })
}
