//! The command line, and the configuration that it names.

use std::path::Path;

use clap::Parser;
use postback_common::config::{self, ConfigError, Settings};
use postback_service::command_line::Options;
use postback_service::kafka::{Clients, refused_options};
use postback_service::version::VERSION;

use crate::tls;

/// Answers the postbacks of affiliate networks and hands them to Kafka.
#[derive(Debug, Parser)]
#[command(name = "postback-ingest", version = VERSION)]
pub struct Args {
    /// What every service has.
    #[command(flatten)]
    pub options: Options,
}

/// The settings, where librdkafka takes its options and the certificate can be used: what the file
/// alone cannot tell. For the start: a certificate that goes bad later does not stop sources from being
/// reloaded.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong.
pub fn load_to_start(file: &Path) -> Result<Settings, ConfigError> {
    config::load_checked(file, |draft| {
        let mut faults = refused_options(draft, Clients::Producers);
        faults.extend(draft.settings.ingest.tls.as_ref().and_then(tls::fault));
        faults
    })
}
