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
    with_rules(file, config::load(file)?)
}

fn with_rules(file: &Path, settings: Settings) -> Result<(Settings, Configured), ConfigError> {
    let rules = Configured::new(&settings.sources, &BTreeMap::new())
        .map_err(|faults| ConfigError::refused(file, faults))?;
    Ok((settings, rules))
}

/// The same, where librdkafka takes the options too. For the start: they do not change at a reload.
///
/// Files are read once: of a pipe, or of a file that is being replaced, a second look finds something
/// else.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong.
pub fn load_to_start(file: &Path) -> Result<(Settings, Configured), ConfigError> {
    let settings = config::load_checked(file, |draft| {
        let mut faults = refused_options(draft, Clients::Consumers);
        if draft.are_sources_good {
            let rules = Configured::new(&draft.settings.sources, &BTreeMap::new());
            faults.extend(rules.err().unwrap_or_default());
        }
        faults
    })?;
    with_rules(file, settings)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_pipe_is_read_once() {
        let (read, mut write) = std::io::pipe().unwrap();
        let text = "[kafka]\nbrokers = \"a:1\"\n[[source]]\nname = \"one\"\nnetwork = \"rakuten\"\nenabled = false\n";
        write.write_all(text.as_bytes()).unwrap();
        drop(write);
        let file = PathBuf::from(format!("/dev/fd/{}", read.as_raw_fd()));
        let (settings, rules) = load_to_start(&file).unwrap();
        // Of the rest, the environment may say something else.
        assert_eq!(settings.sources.len(), 1);
        assert!(rules.notes().is_empty());
    }
}
