//! `postback order ls`, `postback statement ls`: what was imported.

use postback_normalise::profile::Subject;
use postback_store::imports::{self, Import};
use postback_store::{Role, client};

use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, number, text};
use crate::range::shown;
use crate::servers::Trouble;

/// Lists the imports of a kind, the newest first.
pub(in crate::cmd) async fn run(
    about: Subject,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let loaded = load(options, console)?;
    let clickhouse = &loaded.settings.clickhouse;
    let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
    let client = client(clickhouse, Role::Query).map_err(trouble)?;
    let all = imports::all(&client, about.as_str())
        .await
        .map_err(trouble)?;
    let mut sheet = Sheet::new(&[
        text("started_at", "Begun"),
        text("file", "File"),
        text("source", "Source"),
        number("rows", "Rows"),
        number("sent", "In Kafka"),
        number("refused", "Refused"),
        text("state", "State"),
    ]);
    sheet.rows = all
        .iter()
        .map(|import| {
            vec![
                Cell::Text(shown(import.started_at, &options.time_zone)),
                Cell::text(&import.file),
                Cell::text(&import.source),
                Cell::Count(import.rows),
                Cell::Count(import.sent),
                Cell::Count(import.refused),
                Cell::text(match import {
                    Import {
                        is_finished: true, ..
                    } => "finished",
                    Import { rows: 0, .. } => "begun: if it was stopped, import it again to go on",
                    _ => "interrupted: import it again to go on",
                }),
            ]
        })
        .collect();
    sheet.fact("about", about.as_str());
    if sheet.rows.is_empty() {
        let command = match about {
            Subject::Orders => "order",
            _ => "statement",
        };
        sheet.notes.push(format!(
            "No file of {} was imported yet: `postback {command} import FILE`.",
            about.as_str()
        ));
    }
    sheet.write(options, console)?;
    Ok(Ending::Done)
}
