//! A mark on the time line: what was done, when and by whom.

use jiff::Timestamp;
use postback_common::config::{ClickHouseSettings, SourceSettings};
use postback_store::annotations::{self, Annotation};
use postback_store::endpoints::{self, Note};
use postback_store::{Role, client};
use uuid::Uuid;

use crate::servers::Trouble;

/// Marks what happened at `at`; `source` is empty for all sources.
pub(crate) async fn add(
    clickhouse: &ClickHouseSettings,
    text: &str,
    source: &str,
    at: Timestamp,
) -> Result<(), Trouble> {
    let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
    let client = client(clickhouse, Role::Query).map_err(trouble)?;
    let annotation = Annotation {
        id: Uuid::new_v4(),
        at,
        text: text.to_owned(),
        source: source.to_owned(),
        made_by: user(),
    };
    annotations::add(&client, &annotation)
        .await
        .map_err(trouble)
}

/// Notes that a person wants the endpoint of a source on or off, which nothing changes but a person.
pub(crate) async fn note_by_hand(
    clickhouse: &ClickHouseSettings,
    source: &str,
    is_on: bool,
) -> Result<(), Trouble> {
    let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
    let client = client(clickhouse, Role::Query).map_err(trouble)?;
    let note = if is_on {
        Note::OnByHand
    } else {
        Note::OffByHand
    };
    // At which time, the server decides.
    endpoints::note(&client, source, Timestamp::now(), &note)
        .await
        .map_err(trouble)
}

/// Whether a person wants the endpoint of a source off, as far as it is noted, under whichever of its
/// names.
pub(crate) async fn is_off_by_hand(
    clickhouse: &ClickHouseSettings,
    source: &SourceSettings,
) -> Result<bool, Trouble> {
    let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
    let client = client(clickhouse, Role::Query).map_err(trouble)?;
    let names: Vec<&str> = source.names().collect();
    endpoints::is_off_by_hand(&client, &names)
        .await
        .map_err(trouble)
}

/// The user's name, and the machine's, as far as they are known.
pub(crate) fn user() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter();
    let name = named
        .filter_map(|variable| std::env::var(variable).ok())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(host) => format!("{name}@{}", host.trim()),
        Err(_) => name,
    }
}
