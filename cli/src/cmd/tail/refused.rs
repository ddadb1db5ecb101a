//! The newest refused requests.

use jiff::Timestamp;
use postback_normalise::Configured;
use postback_store::reports::Reader;
use postback_store::reports::tail::RefusedRequest;

use super::seen::{AT_ONCE, Seen};
use super::{Out, PAUSE, Tail};
use crate::cmd::Loaded;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, text};
use crate::range::shown_exactly;
use crate::record::refused_query;
use crate::servers::Trouble;

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
    let mut first = sheet(&found, &loaded.configured, out);
    if found.is_empty() {
        first.notes = vec!["No refused request is recorded: every sender was let in.".to_owned()];
    }
    out.write(&first)?;
    if !tail.follow {
        return Ok(Ending::Done);
    }
    let mut seen = Seen::of(&found, began);
    let there = reader.refused_since(source, seen.since(), AT_ONCE);
    seen.keep_new(there.await.map_err(trouble)?, Timestamp::now());
    loop {
        tokio::time::sleep(PAUSE).await;
        let found = reader.refused_since(source, seen.since(), AT_ONCE);
        let new = seen.keep_new(found.await.map_err(trouble)?, Timestamp::now());
        out.write_new(&sheet(&new.rows, &loaded.configured, out), new.missed)?;
    }
}

fn sheet(rows: &[RefusedRequest], configured: &Configured, out: &Out<'_>) -> Sheet {
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
            Cell::Text(refused_query(&row.query, &row.source, configured)),
            Cell::Count(row.suppressed),
        ]
    };
    sheet.rows = rows.iter().map(row).collect();
    sheet
}
