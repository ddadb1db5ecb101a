//! The command line, and the configuration that it names.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Parser;
use postback_common::config::{self, ConfigError, Settings};
use postback_normalise::Configured;
use postback_service::command_line::Options;
use postback_service::kafka::{Clients, refused_options};
use postback_service::version::VERSION;

/// Normalises postbacks from Kafka and loads ClickHouse.
#[derive(Debug, Parser)]
#[command(name = "postback-consumer", version = VERSION)]
pub struct Args {
    /// What every service has.
    #[command(flatten)]
    pub options: Options,
}

/// The settings, and the rules of the sources as far as files can tell: what is fixed for an
/// account stands in the database.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong.
pub fn load(file: &Path) -> Result<(Settings, Configured), ConfigError> {
    let settings = config::load(file)?;
    let rules = Configured::new(&settings.sources, &BTreeMap::new())
        .map_err(|faults| ConfigError::refused(file, faults))?;
    Ok((settings, rules))
}

/// The same, where librdkafka takes the options too. For the start: they do not change at a reload.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong.
pub fn load_to_start(file: &Path) -> Result<(Settings, Configured), ConfigError> {
    config::load_checked(file, |draft| {
        let mut faults = refused_options(draft, Clients::Consumers);
        if draft.is_good {
            let rules = Configured::new(&draft.settings.sources, &BTreeMap::new());
            faults.extend(rules.err().unwrap_or_default());
        }
        faults
    })?;
    load(file)
}
