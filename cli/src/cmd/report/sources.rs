//! Whether the sources that a report is asked for exist.

use postback_common::config::Settings;
use postback_store::reports::Reader;
use postback_store::reports::question::{Column, Filter};

use crate::ending::Failure;
use crate::nearest;
use crate::servers::Trouble;

/// Refuses a source that is neither configured nor in the tables: every report about it would be
/// empty, and look as if nothing had come.
pub(super) async fn check(
    only: &Filter,
    settings: &Settings,
    reader: &Reader,
) -> Result<(), Failure> {
    let conditions = only.conditions().iter();
    let wanted = conditions.filter(|known| known.column == Column::source() && !known.negated);
    let is_not_configured = |name: &&String| {
        let mut sources = settings.sources.iter();
        !sources.any(|source| source.name.as_str() == name.as_str())
    };
    let strange: Vec<&String> = wanted
        .flat_map(|known| &known.values)
        .filter(is_not_configured)
        .collect();
    if strange.is_empty() {
        return Ok(());
    }
    let trouble = |error| Trouble::of_clickhouse(&error, &settings.clickhouse);
    let mut known = reader.sources().await.map_err(trouble)?;
    known.extend(
        settings
            .sources
            .iter()
            .map(|source| source.name.to_string()),
    );
    known.sort();
    known.dedup();
    match strange.into_iter().find(|name| !known.contains(name)) {
        Some(name) => Err(unknown(name, &known)),
        None => Ok(()),
    }
}

fn unknown(name: &str, known: &[String]) -> Failure {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let remedy = if known.is_empty() {
        "the configuration has no [[source]] yet".to_owned()
    } else {
        nearest::remedy(name, &known)
    };
    Failure::Usage(format!(
        "no source is called {name:?}: neither the configuration nor the tables have it\n  {remedy}"
    ))
}
