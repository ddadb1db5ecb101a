//! The newest rows of `postbacks`.

use jiff::Timestamp;
use postback_store::reports::Reader;
use postback_store::reports::tail::Arrived;

use super::seen::{AT_ONCE, Seen};
use super::{Out, PAUSE, Tail, sent};
use crate::cmd::Loaded;
use crate::cmd::report::check_sources;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, text};
use crate::range::shown_exactly;
use crate::record::Record;
use crate::servers::Trouble;

pub(super) async fn run(
    tail: &Tail,
    loaded: &Loaded,
    out: &mut Out<'_>,
) -> Result<Ending, Failure> {
    let only = tail.filter()?;
    let clickhouse = &loaded.settings.clickhouse;
    let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
    let mut reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
    check_sources(&only, &loaded.settings, &reader).await?;
    let began = Timestamp::now();
    let mut shown = Vec::new();
    if tail.lines > 0 {
        shown = reader.newest(&only, tail.lines).await.map_err(trouble)?;
        let mut sheet = sheet(&shown, loaded, out);
        if shown.is_empty() {
            sheet.notes = nothing(tail);
        }
        out.write(&sheet)?;
    }
    if !tail.follow {
        return Ok(Ending::Done);
    }
    let mut seen = Seen::of(&shown, began);
    // What is there already is not what comes.
    let there = reader.arrived_since(&only, seen.since(), AT_ONCE);
    seen.keep_new(there.await.map_err(trouble)?, Timestamp::now());
    loop {
        tokio::time::sleep(PAUSE).await;
        // Another generation may have become active.
        reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
        let found = reader.arrived_since(&only, seen.since(), AT_ONCE);
        let new = seen.keep_new(found.await.map_err(trouble)?, Timestamp::now());
        out.write_new(&sheet(&new.rows, loaded, out), new.missed)?;
    }
}

fn nothing(tail: &Tail) -> Vec<String> {
    let of = if tail.source.is_some() || tail.outcome.is_some() {
        "No such postback is loaded"
    } else {
        "Nothing is loaded yet"
    };
    vec![format!(
        "{of}: `postback tail --from kafka` shows what waits, `postback doctor` whether all is well."
    )]
}

fn sheet(rows: &[Arrived], loaded: &Loaded, out: &Out<'_>) -> Sheet {
    let form = out.options.output;
    let columns = [
        text("received_at", "Received"),
        text("source", "Source"),
        text("via", "Via"),
        text("outcome", "Outcome"),
        text("reasons", "Reasons"),
        text("id", "Id"),
    ];
    let mut sheet = Sheet::new(&[&columns[..], &sent::columns(form)].concat());
    let row = |row: &Arrived| {
        let record = Record::of(&row.raw, &row.source, &row.network, &loaded.configured);
        let mut cells = vec![
            Cell::Text(shown_exactly(row.received_at, &out.options.time_zone)),
            Cell::text(&row.source),
            Cell::text(&row.via),
            Cell::text(&row.outcome),
            Cell::List(row.reasons.clone()),
            Cell::text(&row.id),
        ];
        cells.extend(sent::cells(Some(record), form));
        cells
    };
    sheet.rows = rows.iter().map(row).collect();
    sheet
}
