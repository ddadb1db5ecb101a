//! `postback spool`: what waits on disk for Kafka, and how it gets there without an ingest.

pub(super) mod contents;
mod drain;
mod export;
mod status;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::load;
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// See what waits in the spool, take it out, or bring it to Kafka
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Spool {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Status),
    Export(export::Export),
    Drain(drain::Drain),
}

impl Spool {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        match &self.command {
            Command::Status(status) => status.run(options, console).await,
            Command::Export(export) => export.run(options, console).await,
            Command::Drain(drain) => drain.run(options, console).await,
        }
    }

    /// Whether the command ends in order by itself after Ctrl-C.
    pub(crate) const fn stops_in_order(&self) -> bool {
        matches!(self.command, Command::Drain(_))
    }
}

/// Which spool.
#[derive(Debug, Args)]
struct Place {
    /// The spool directory, also one that was brought from another host [default: ingest.spool_dir]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// A spool directory, and how large it may grow where that is known.
struct Directory {
    path: PathBuf,
    max_bytes: Option<u64>,
}

impl Place {
    /// The configuration is read only where it is needed.
    fn find(&self, options: &Options, console: &mut Console) -> Result<Directory, Failure> {
        if let Some(path) = &self.dir {
            contents::check(path, || is_configured(path, options, console))?;
            return Ok(Directory {
                path: path.clone(),
                max_bytes: None,
            });
        }
        let spool = load(options, console)?.settings.ingest.spool;
        let spool = spool.ok_or_else(|| {
            let file = options.config.display();
            let text = format!("{file} has no ingest.spool_dir\n  name the directory with --dir");
            Failure::Usage(text)
        })?;
        Ok(Directory {
            path: spool.dir,
            max_bytes: Some(spool.max_bytes),
        })
    }
}

/// Whether it is the spool of the configuration, if there is one that can be read.
fn is_configured(path: &Path, options: &Options, console: &mut Console) -> bool {
    let loaded = load(options, console).ok();
    let spool = loaded.and_then(|loaded| loaded.settings.ingest.spool);
    let real = path.canonicalize().ok();
    real.is_some() && real == spool.and_then(|spool| spool.dir.canonicalize().ok())
}
