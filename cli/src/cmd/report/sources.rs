//! Whether the sources and networks that a report is asked for exist.

use postback_common::config::Settings;
use postback_store::reports::Reader;
use postback_store::reports::question::{Column, Filter};

use crate::ending::Failure;
use crate::nearest;
use crate::servers::Trouble;

/// Refuses a source or network that is neither configured nor in the tables: every report about it
/// would be empty, and look as if nothing had come.
pub(in crate::cmd) async fn check(
    only: &Filter,
    settings: &Settings,
    reader: &Reader,
) -> Result<(), Failure> {
    let trouble = |error| Trouble::of_clickhouse(&error, &settings.clickhouse);
    let sources = settings.sources.iter();
    let configured: Vec<String> = sources.map(|source| source.name.to_string()).collect();
    let strange = strange(only, &Column::source(), &configured);
    if !strange.is_empty() {
        let known = reader.sources().await.map_err(trouble)?;
        refuse_unknown(
            "no source is called",
            &strange,
            [known, configured].concat(),
        )?;
    }
    let sources = settings.sources.iter();
    let configured: Vec<String> = sources.map(|source| source.network.to_string()).collect();
    let strange = self::strange(only, &Column::network(), &configured);
    if !strange.is_empty() {
        let known = reader.networks().await.map_err(trouble)?;
        refuse_unknown(
            "nothing is of a network called",
            &strange,
            [known, configured].concat(),
        )?;
    }
    Ok(())
}

/// What a column is asked to be that is not configured; an empty value means that it is missing.
fn strange<'a>(only: &'a Filter, column: &Column, configured: &[String]) -> Vec<&'a String> {
    let conditions = only.conditions().iter();
    let wanted = conditions.filter(|known| known.column == *column && !known.negated);
    let values = wanted.flat_map(|known| &known.values);
    values
        .filter(|name| !name.is_empty() && !configured.contains(name))
        .collect()
}

fn refuse_unknown(what: &str, strange: &[&String], mut known: Vec<String>) -> Result<(), Failure> {
    known.sort();
    known.dedup();
    match strange.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(unknown(what, name, &known)),
        None => Ok(()),
    }
}

fn unknown(what: &str, name: &str, known: &[String]) -> Failure {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let remedy = if known.is_empty() {
        "the configuration has no [[source]] yet".to_owned()
    } else {
        nearest::remedy(name, &known)
    };
    Failure::Usage(format!(
        "{what} {name:?}: neither the configuration nor the tables have it\n  {remedy}"
    ))
}
