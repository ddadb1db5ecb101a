//! The newest refused requests.

use std::collections::BTreeSet;

use jiff::{Span, Timestamp};
use postback_store::reports::Reader;
use postback_store::reports::tail::RefusedRequest;

use super::{Out, PAUSE, Tail};
use crate::cmd::Loaded;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, text};
use crate::range::shown_exactly;
use crate::servers::Trouble;

/// Instances of ingest publish side by side.
const BEHIND_MINUTES: i64 = 10;

/// Most rows of one look.
const AT_ONCE: u32 = 10_000;

pub(super) async fn run(
    tail: &Tail,
    loaded: &Loaded,
    out: &mut Out<'_>,
) -> Result<Ending, Failure> {
    let clickhouse = &loaded.settings.clickhouse;
    let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
    let reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
    let source = tail.source.as_deref();
    let began = Timestamp::now();
    let found = reader.refused_since(source, Timestamp::UNIX_EPOCH, tail.lines);
    let found = found.await.map_err(trouble)?;
    let mut newest = found.last().map_or(began, |last| last.refused_at);
    let mut first = sheet(&found, out);
    if found.is_empty() {
        first.notes = vec!["No refused request is recorded: every sender was let in.".to_owned()];
    }
    out.write(&first)?;
    if !tail.follow {
        return Ok(Ending::Done);
    }
    let there = reader
        .refused_since(source, behind(newest), AT_ONCE)
        .await
        .map_err(trouble)?;
    let mut seen: BTreeSet<_> = there.iter().map(|row| (row.refused_at, row.id)).collect();
    loop {
        tokio::time::sleep(PAUSE).await;
        let found = reader
            .refused_since(source, behind(newest), AT_ONCE)
            .await
            .map_err(trouble)?;
        let is_new = |row: &RefusedRequest| !seen.contains(&(row.refused_at, row.id));
        let new: Vec<RefusedRequest> = found.into_iter().filter(is_new).collect();
        newest = new
            .iter()
            .map(|row| row.refused_at)
            .max()
            .unwrap_or(newest)
            .max(newest);
        seen.extend(new.iter().map(|row| (row.refused_at, row.id)));
        seen = seen.split_off(&(behind(newest), uuid::Uuid::nil()));
        out.write(&sheet(&new, out))?;
    }
}

fn behind(newest: Timestamp) -> Timestamp {
    let before = newest.checked_sub(Span::new().minutes(BEHIND_MINUTES));
    before.unwrap_or(Timestamp::UNIX_EPOCH)
}

fn sheet(rows: &[RefusedRequest], out: &Out<'_>) -> Sheet {
    let mut sheet = Sheet::new(&[
        text("refused_at", "Refused"),
        text("reason", "Reason"),
        number("status", "Status"),
        text("source", "Source"),
        text("remote", "Sender"),
        text("method", "Method"),
        text("path", "Path"),
        text("query", "Query"),
        number("suppressed", "And more"),
    ]);
    let row = |row: &RefusedRequest| {
        vec![
            Cell::Text(shown_exactly(row.refused_at, &out.options.time_zone)),
            Cell::text(&row.reason),
            Cell::Count(row.status.into()),
            Cell::text(&row.source),
            Cell::text(&row.remote),
            Cell::text(&row.method),
            Cell::text(&row.path),
            Cell::text(&row.query),
            Cell::Count(row.suppressed),
        ]
    };
    sheet.rows = rows.iter().map(row).collect();
    sheet
}
