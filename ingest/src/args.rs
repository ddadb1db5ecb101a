//! The command line.

use clap::Parser;
use postback_service::command_line::Options;
use postback_service::version::VERSION;

/// Answers the postbacks of affiliate networks and hands them to Kafka.
#[derive(Debug, Parser)]
#[command(name = "postback-ingest", version = VERSION)]
pub struct Args {
    /// What every service has.
    #[command(flatten)]
    pub options: Options,
}
