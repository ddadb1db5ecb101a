//! `cargo xtask stack`: the two servers alone.

mod down;
mod keep;
mod keeper;
mod status;
mod up;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use postback_stack::{Cancellation, Needs, StackOptions};

use crate::project::Project;
use crate::report;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start Kafka and ClickHouse, and print the environment to use them
    Up {
        #[command(flatten)]
        options: Options,
        /// Run until Ctrl-C instead of in the background
        #[arg(long)]
        foreground: bool,
    },
    /// Stop them; their data stays
    Down {
        #[command(flatten)]
        place: Place,
    },
    /// Show whether they run, where, and how much they hold
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// The process behind `up`
    #[command(hide = true)]
    Keep {
        #[command(flatten)]
        options: Options,
    },
}

/// Which stack is meant.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// Where the servers keep their data [default: target/stack]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Place {
    /// The data directory as an absolute path.
    fn directory(&self, project: &Project) -> anyhow::Result<PathBuf> {
        match &self.data_dir {
            Some(directory) => Ok(std::path::absolute(directory)?),
            None => Ok(project.target().join("stack")),
        }
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
    /// Kafka's port on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = 9092)]
    kafka_port: u16,
    /// ClickHouse's port on 127.0.0.1 for HTTP
    #[arg(long, value_name = "PORT", default_value_t = 8123)]
    clickhouse_http_port: u16,
    /// ClickHouse's port on 127.0.0.1 for its own protocol
    #[arg(long, value_name = "PORT", default_value_t = 9000)]
    clickhouse_tcp_port: u16,
}

impl Options {
    fn stack(&self, directory: &Path) -> StackOptions {
        let mut options = StackOptions::new(directory);
        options.kafka.port = Some(self.kafka_port);
        options.clickhouse.http_port = Some(self.clickhouse_http_port);
        options.clickhouse.tcp_port = Some(self.clickhouse_tcp_port);
        options
    }

    /// Each port with the option that chooses it.
    fn ports(&self) -> [(&'static str, u16); 3] {
        [
            ("--kafka-port", self.kafka_port),
            ("--clickhouse-http-port", self.clickhouse_http_port),
            ("--clickhouse-tcp-port", self.clickhouse_tcp_port),
        ]
    }
}

/// Runs one of the commands.
pub(crate) fn run(
    command: Command,
    project: &Project,
    cancellation: &Cancellation,
) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up {
            options,
            foreground,
        } => {
            let directory = options.place.directory(project)?;
            up::run(&options, foreground, &directory, project, cancellation)
        }
        Command::Down { place } => down::run(&place.directory(project)?, cancellation),
        Command::Status { place } => status::run(&place.directory(project)?),
        Command::Keep { options } => {
            // Away from the terminal, so that neither Ctrl-C nor closing it reaches the servers.
            rustix::process::setsid()?;
            let directory = options.place.directory(project)?;
            let installation =
                postback_stack::install(Needs::default(), cancellation, &report::step)?;
            keep::run(
                &installation,
                options.stack(&directory),
                &directory,
                cancellation,
                &|_| {},
            )
        }
    }
}
