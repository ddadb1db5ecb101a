//! `postback order import` and `postback statement import`: files of own orders and of networks'
//! statements, as raw records into Kafka.
//!
//! Each row is a record of its own (`via = import`), so a replay includes it. Its id follows from the
//! import and the row's number, and the import is noted before its first row is sent: one that was
//! killed goes on behind its last note, and what it sends again is the same record. Before a row is
//! sent it is read by the source's rules; what could be no row of the tables is refused here, where
//! somebody can mend it.

mod ahead;
mod equals;
mod file;
mod judge;
mod limit;
mod list;
mod numbers;
mod outcome;
mod record;
mod resumed;
mod run;

use std::path::PathBuf;

use clap::Args;
use postback_common::config::SourceSettings;
use postback_normalise::SourceRules;
use postback_normalise::profile::Subject;

use super::{Loaded, source};
use crate::ending::Failure;

pub(super) use list::run as list;

/// Which file, and as what.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// CSV with a heading, JSON lines, or XML; what it is shows in the file itself
    file: PathBuf,
    /// The source that it is recorded under [default: the only one of its kind]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Read everything and say what would be refused; send nothing
    #[arg(long)]
    dry_run: bool,
    /// Bring in a file that was imported before once more: its rows are newer revisions then
    #[arg(long, conflicts_with = "dry_run")]
    again: bool,
}

impl Import {
    /// The source to import under: the named one, or the only one of its kind.
    fn source<'a>(
        &self,
        about: Subject,
        loaded: &'a Loaded,
    ) -> Result<(&'a SourceSettings, &'a SourceRules), Failure> {
        let kind = about.as_str();
        let all = loaded.settings.sources.iter();
        let rules = |source: &SourceSettings| loaded.configured.source(source.name.as_str());
        let fitting: Vec<_> = all
            .filter_map(|source| {
                let rules = rules(source)?;
                (rules.profile().about == about).then_some((source, &**rules))
            })
            .collect();
        let names: Vec<&str> = (fitting.iter())
            .map(|(source, _)| source.name.as_str())
            .collect();
        let Some(name) = &self.source else {
            return match *fitting {
                [only] => Ok(only),
                [] => Err(Failure::Usage(format!(
                    "the configuration has no source of {kind}\n  {}",
                    how_to_configure(about)
                ))),
                _ => Err(Failure::Usage(format!(
                    "there are several sources of {kind}\n  name one of them with --source: {}",
                    names.join(", ")
                ))),
            };
        };
        let named = source::find(name, &loaded.settings)?;
        let chosen = fitting.iter().find(|(source, _)| source.name == named.name);
        chosen.copied().ok_or_else(|| {
            let remedy = match *names {
                [] => how_to_configure(about).to_owned(),
                [only] => format!("leave --source out, or write --source {only}"),
                _ => format!("name one of these: {}", names.join(", ")),
            };
            Failure::Usage(format!(
                "source {name} is of network {}, which is not about {kind}\n  {remedy}",
                named.network
            ))
        })
    }
}

fn how_to_configure(about: Subject) -> &'static str {
    match about {
        Subject::Orders => {
            "add one to postback.toml: [[source]] with name = \"shop\" and network = \"orders\" (docs/orders.md)"
        }
        _ => {
            "add one to postback.toml: [[source]] with a name, enabled = false, and network = \"rakuten-item-report\" or \
             \"rakuten-signature-feed\" (docs/orders.md)"
        }
    }
}
