//! The newest rows of `postbacks`.

use std::collections::BTreeSet;

use jiff::{Span, Timestamp};
use postback_store::reports::Reader;
use postback_store::reports::tail::Arrived;

use super::{Out, PAUSE, Tail};
use crate::cmd::Loaded;
use crate::cmd::report::check_sources;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, text};
use crate::range::shown_exactly;
use crate::record::Record;
use crate::servers::Trouble;

/// Partitions of the topic are loaded side by side, and a spool is drained late: what was received
/// so long before the newest can still come to be loaded.
const BEHIND_MINUTES: i64 = 10;

/// Most rows of one look.
const AT_ONCE: u32 = 10_000;

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
    let mut newest = began;
    let mut seen = BTreeSet::new();
    if tail.lines > 0 {
        let found = reader.newest(&only, tail.lines).await.map_err(trouble)?;
        newest = found.last().map_or(began, |last| last.received_at);
        seen.extend(found.iter().map(|row| (row.received_at, row.id)));
        let mut sheet = sheet(&found, loaded, out);
        if found.is_empty() {
            sheet.notes = nothing(tail);
        }
        out.write(&sheet)?;
    }
    if !tail.follow {
        return Ok(Ending::Done);
    }
    // What is there already is not what comes.
    let since = behind(newest.min(began));
    let there = reader
        .arrived_since(&only, since, AT_ONCE)
        .await
        .map_err(trouble)?;
    seen.extend(there.into_iter().map(|row| (row.received_at, row.id)));
    loop {
        tokio::time::sleep(PAUSE).await;
        // Another generation may have become active.
        reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
        let since = behind(newest);
        let found = reader
            .arrived_since(&only, since, AT_ONCE)
            .await
            .map_err(trouble)?;
        let is_new = |row: &Arrived| !seen.contains(&(row.received_at, row.id));
        let new: Vec<Arrived> = found.into_iter().filter(is_new).collect();
        newest = new
            .iter()
            .map(|row| row.received_at)
            .max()
            .unwrap_or(newest)
            .max(newest);
        seen.extend(new.iter().map(|row| (row.received_at, row.id)));
        seen = seen.split_off(&(behind(newest), uuid::Uuid::nil()));
        out.write(&sheet(&new, loaded, out))?;
    }
}

fn behind(newest: Timestamp) -> Timestamp {
    let before = newest.checked_sub(Span::new().minutes(BEHIND_MINUTES));
    before.unwrap_or(Timestamp::UNIX_EPOCH)
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
    let mut sheet = Sheet::new(&[
        text("received_at", "Received"),
        text("source", "Source"),
        text("via", "Via"),
        text("outcome", "Outcome"),
        text("reasons", "Reasons"),
        text("id", "Id"),
        text("query", "Query"),
    ]);
    let row = |row: &Arrived| {
        let record = Record::of(&row.raw, &row.source, &row.network, &loaded.configured);
        vec![
            Cell::Text(shown_exactly(row.received_at, &out.options.time_zone)),
            Cell::text(&row.source),
            Cell::text(&row.via),
            Cell::text(&row.outcome),
            Cell::List(row.reasons.clone()),
            Cell::text(&row.id),
            record.query.map_or(Cell::Missing, Cell::Text),
        ]
    };
    sheet.rows = rows.iter().map(row).collect();
    sheet
}
