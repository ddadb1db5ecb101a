//! A trace that found nothing: where it looked, and where the postback may be instead.

use postback_store::reports::Reader;

use crate::arguments::Options;
use crate::cmd::Loaded;
use crate::ending::Failure;
use crate::lag::{self, GroupLag};
use crate::output::Sheet;
use crate::range::shown;
use crate::servers::Trouble;

/// Adds it to an empty sheet, as facts and in words.
pub(super) async fn explain(
    sheet: &mut Sheet,
    looked_in: &[&str],
    reader: &Reader,
    loaded: &Loaded,
    options: &Options,
) -> Result<(), Failure> {
    let trouble = |error| Trouble::of_clickhouse(&error, &loaded.settings.clickhouse);
    let newest = reader.loaded_through().await.map_err(trouble)?;
    let newest = newest.map(|moment| shown(moment, &options.time_zone));
    let lag = lag::of_generation(&loaded.settings, reader.generation()).await;
    sheet.fact("looked_in", looked_in);
    sheet.fact("loaded_through", newest.clone());
    sheet.fact("waiting", lag.as_ref().ok().map(GroupLag::waiting));
    let generation = reader.generation();
    let looked = looked_in.join(", ");
    let loaded = match newest {
        Some(moment) => format!("Loaded through {moment}."),
        None => "Nothing is loaded yet.".to_owned(),
    };
    sheet.notes = vec![
        format!("Nothing found. Looked in {looked}, generation {generation}."),
        format!("{loaded} {}", waiting(&lag)),
        "A rejected postback has no conversion: it is found by its own id alone.".to_owned(),
    ];
    Ok(())
}

/// What is in Kafka and not loaded yet cannot be looked into here.
fn waiting(lag: &Result<GroupLag, String>) -> String {
    match lag {
        Ok(lag) if lag.waiting() == 0 => "Nothing waits in Kafka.".to_owned(),
        Ok(lag) => format!(
            "{} more in Kafka cannot be searched until loaded: try again, or see `postback doctor`.",
            lag.waiting()
        ),
        Err(words) => format!("Whether more wait in Kafka is not known: {words}."),
    }
}
