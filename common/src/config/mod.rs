//! The configuration: one TOML file for all binaries, checked as a whole.
//!
//! Every key of the sections `kafka`, `clickhouse`, `ingest`, `consumer` and `watch` can be overridden by an
//! environment variable `POSTBACK__SECTION__KEY`; a secret can also come from a file
//! (`password_file`, `key_file`). Of a source only `[source.api]` can be. [`load`] touches the outside world; [`read`] is the same on given
//! text, and is what the tests call.
//!
//! All faults are found at once and returned together: each names the key, the value (never that of
//! a secret, of a URL, which may hold one, nor of an unknown key, which may be a misspelt one) and
//! the remedy. A setting whose
//! part is not built yet is refused, never ignored.

mod access;
mod api;
mod brokers;
mod clickhouse;
mod consumer;
mod environment;
mod fault;
mod ingest;
mod kafka;
mod secret;
mod section;
mod shown;
mod source;
mod sources;
mod spool;
mod templates;
mod tls;
mod watch;
mod web;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

pub use api::{ApiSettings, FieldNames, TokenAuth};
pub use clickhouse::{ClickHouseSettings, LEAST_KEEP_DAYS};
pub use consumer::ConsumerSettings;
pub use fault::{ConfigError, Fault, FaultCode};
pub use ingest::{IngestSettings, record_bytes_max};
pub use kafka::{KafkaOption, KafkaSettings};
pub use shown::holds_key;
pub use source::{
    Identity, ProfileFile, Reply, ReplyContent, SourceKey, SourceSettings, TemplateSettings,
    TemplateUrl,
};
pub use sources::dropped_sources;
pub use spool::{SEGMENT_HEAD_BYTES, SpoolSettings};
pub use tls::TlsSettings;
pub use watch::WatchSettings;

use environment::Environment;
use section::Section;

/// File that is read when no `--config` is given.
pub const DEFAULT_FILE: &str = "postback.toml";

/// Everything that was configured, checked. Prints (`Debug`, `Serialize`) without secrets.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// `[kafka]`
    pub kafka: KafkaSettings,
    /// `[clickhouse]`
    pub clickhouse: ClickHouseSettings,
    /// `[ingest]`
    pub ingest: IngestSettings,
    /// `[consumer]`
    pub consumer: ConsumerSettings,
    /// `[watch]`
    pub watch: WatchSettings,
    /// `[[source]]`, in the order of the file.
    #[serde(rename = "source")]
    pub sources: Vec<SourceSettings>,
}

impl Settings {
    /// The effective settings as TOML, secrets hidden: what `--check-config` prints.
    ///
    /// # Errors
    /// None in practice: every value here has a TOML form.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Whether anything but the sources differs, as it prints: secrets are not compared.
    #[must_use]
    pub fn differ_beside_sources(&self, others: &Self) -> bool {
        let printed = |settings: &Self| {
            let mut settings = settings.clone();
            settings.sources.clear();
            settings.to_toml().ok()
        };
        printed(self) != printed(others)
    }
}

/// Settings that are not accepted yet, for checks that another crate adds.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// What could be read; of what is refused, defaults or nothing.
    pub settings: &'a Settings,
    /// Nothing is refused so far.
    pub is_good: bool,
    /// Nothing of the sources is, so that their rules can be judged.
    pub are_sources_good: bool,
}

/// Reads the file, the process's environment and the files that secrets stand in.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong.
pub fn load(file: &Path) -> Result<Settings, ConfigError> {
    load_checked(file, |_| Vec::new())
}

/// The same, and `check` adds what it finds, so that all faults are told together.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong.
pub fn load_checked(
    file: &Path,
    check: impl FnOnce(Draft<'_>) -> Vec<Fault>,
) -> Result<Settings, ConfigError> {
    let bytes = std::fs::read(file).map_err(|error| ConfigError::unreadable(file, &error))?;
    let text = ConfigError::utf8(file, bytes)?;
    read_in(
        file,
        &text,
        Environment::of_process(std::env::vars_os()),
        check,
    )
}

/// Checks `text` as if it stood in `file`, under the given environment.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong.
pub fn read(
    file: &Path,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, ConfigError> {
    read_checked(file, text, environment, |_| Vec::new())
}

/// The same, and `check` adds what it finds, so that all faults are told together.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong.
pub fn read_checked(
    file: &Path,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
    check: impl FnOnce(Draft<'_>) -> Vec<Fault>,
) -> Result<Settings, ConfigError> {
    read_in(file, text, Environment::new(environment), check)
}

fn read_in(
    file: &Path,
    text: &str,
    mut environment: Environment,
    check: impl FnOnce(Draft<'_>) -> Vec<Fault>,
) -> Result<Settings, ConfigError> {
    let mut root: toml::Table =
        toml::from_str(text).map_err(|error| ConfigError::syntax(file, text, &error))?;
    let mut faults = Vec::new();
    let sources = root.remove("source");

    let kafka = KafkaSettings::read(&mut Section::open(
        "kafka",
        &mut root,
        &mut environment,
        &mut faults,
    ));
    let clickhouse = ClickHouseSettings::read(&mut Section::open(
        "clickhouse",
        &mut root,
        &mut environment,
        &mut faults,
    ));
    let ingest = IngestSettings::read(&mut Section::open(
        "ingest",
        &mut root,
        &mut environment,
        &mut faults,
    ));
    faults.extend(kafka.longest(&ingest));
    let consumer = ConsumerSettings::read(&mut Section::open(
        "consumer",
        &mut root,
        &mut environment,
        &mut faults,
    ));
    let watch = WatchSettings::read(&mut Section::open(
        "watch",
        &mut root,
        &mut environment,
        &mut faults,
    ));
    let others = faults.len();
    let sources = sources::read_all(sources, &mut environment, &mut faults);
    let are_sources_good = faults.len() == others;

    let known = [
        "kafka",
        "clickhouse",
        "ingest",
        "consumer",
        "watch",
        "source",
    ];
    faults.extend(root.keys().map(|key| Fault::unknown(key, key, &known)));
    faults.extend(environment.leftovers());
    environment.refuse_unreadable(&mut faults);
    let settings = Settings {
        kafka,
        clickhouse,
        ingest,
        consumer,
        watch,
        sources,
    };
    let draft = Draft {
        settings: &settings,
        is_good: faults.is_empty(),
        are_sources_good,
    };
    faults.extend(check(draft));
    if faults.is_empty() {
        Ok(settings)
    } else {
        Err(ConfigError::refused(file, faults))
    }
}

/// A map that prints in order.
type Ordered<V> = BTreeMap<String, V>;

#[cfg(test)]
mod tests;
