//! SIGHUP: the sources are read again; everything else needs a restart.

use std::path::PathBuf;
use std::sync::Arc;

use postback_common::config::{self, ConfigError, Settings, SourceSettings};
use postback_service::lifecycle::{Reloads, Shutdown};
use toml::Table;
use tracing::{error, info, warn};

use crate::server::Server;

/// Reads the file again at each SIGHUP until `shutdown`.
pub async fn listen(
    mut reloads: Reloads,
    file: PathBuf,
    mut running: Arc<Settings>,
    server: Arc<Server>,
    shutdown: Shutdown,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = reloads.next() => {}
        }
        let path = file.clone();
        match tokio::task::spawn_blocking(move || config::load(&path)).await {
            Ok(loaded) => {
                if let Some(sources) = apply(loaded, &running, &server) {
                    Arc::make_mut(&mut running).sources = sources;
                }
            }
            Err(error) => error!(%error, "the configuration was not read again"),
        }
    }
}

/// Takes the sources of a good file and returns them; of a bad one nothing. One that lacks a source
/// is bad: sources are disabled, never removed, and the file may have been read half-written.
pub fn apply(
    loaded: Result<Settings, ConfigError>,
    running: &Settings,
    server: &Server,
) -> Option<Vec<SourceSettings>> {
    let [taken, refused] = &server.metrics().reloads;
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            refused.inc();
            error!("configuration refused, the old sources stay: {error}");
            return None;
        }
    };
    let dropped = config::dropped_sources(&running.sources, &loaded.sources);
    if !dropped.is_empty() {
        refused.inc();
        let sources: Vec<String> = dropped.iter().map(ToString::to_string).collect();
        error!(
            sources = sources.join(", "),
            remedy = "disable a source with enabled = false; removing it takes a restart",
            "configuration refused, the old sources stay: some are missing in the file"
        );
        return None;
    }
    let waiting = changed(running, &loaded);
    if !waiting.is_empty() {
        let settings = waiting.join(", ");
        warn!(
            settings,
            "changed settings that take effect only at a restart"
        );
    }
    server.replace_sources(&loaded.sources);
    taken.inc();
    info!(sources = loaded.sources.len(), "sources reloaded");
    Some(loaded.sources)
}

/// The names of settings outside the sources that differ. Of secrets only librdkafka's are compared:
/// ingest uses no other.
#[must_use]
pub fn changed(running: &Settings, loaded: &Settings) -> Vec<String> {
    let [before, after] = [running, loaded].map(sections);
    let mut names = Vec::new();
    for (section, after) in &after {
        let Some(after) = after.as_table() else {
            continue;
        };
        let empty = Table::new();
        let before = before
            .get(section)
            .and_then(|v| v.as_table())
            .unwrap_or(&empty);
        let differs = |key: &&String| before.get(*key) != after.get(*key);
        let mut keys: Vec<&String> = before.keys().chain(after.keys()).filter(differs).collect();
        keys.sort_unstable();
        keys.dedup();
        names.extend(keys.into_iter().map(|key| format!("{section}.{key}")));
    }
    let options = "kafka.options".to_owned();
    if running.kafka.options != loaded.kafka.options && !names.contains(&options) {
        names.push(options);
    }
    names
}

/// Everything but the sources, as it prints.
fn sections(settings: &Settings) -> Table {
    let printed = settings.to_toml().unwrap_or_default();
    let mut table: Table = toml::from_str(&printed).unwrap_or_default();
    table.remove("source");
    table
}
