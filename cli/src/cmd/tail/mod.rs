//! `postback tail`: what comes, as it comes.

mod loaded;
mod refused;
mod seen;
mod sent;
mod topic;

use std::time::Duration;

use clap::{Args, ValueEnum};
use postback_store::reports::question::{Column, Filter, Table};

use super::load;
use crate::arguments::{Form, Options};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::Sheet;

/// How often what is new is looked for.
const PAUSE: Duration = Duration::from_millis(500);

/// Show the newest postbacks, or follow them as they come
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback tail -f\n  \
    postback tail --outcome rejected -n 5\n  \
    postback tail --from kafka --source rakuten-us\n  \
    postback tail --refused -f -o jsonl\n\n\
    From the table: what is loaded. From Kafka: the end of the topic, what is not loaded yet included.\n\
    URL keys never show, values of secret parameters are hidden. Ctrl-C ends it.")]
pub(crate) struct Tail {
    /// So many of the newest
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    lines: u32,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only what became of it
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "refused")]
    outcome: Option<Outcome>,
    /// Requests that ingest refused, instead of postbacks
    #[arg(long)]
    refused: bool,
    /// Where to look
    #[arg(
        long,
        value_enum,
        value_name = "WHERE",
        default_value = "table",
        conflicts_with = "refused"
    )]
    from: From,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Outcome {
    /// It became a conversion
    Accepted,
    /// It did not: reasons say why
    Rejected,
    /// In Kafka, and not loaded yet (with --from kafka)
    Waiting,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Waiting => "waiting",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// ClickHouse: what is loaded, with its outcome
    Table,
    /// The end of the topic: also what is not loaded yet
    Kafka,
}

impl Tail {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        self.check(options)?;
        let loaded = load(options, console)?;
        let mut out = Out {
            options,
            console,
            follow: self.follow,
            is_first: true,
        };
        match (self.refused, self.from) {
            (true, _) => refused::run(self, &loaded, &mut out).await,
            (false, From::Table) => loaded::run(self, &loaded, &mut out).await,
            (false, From::Kafka) => topic::run(self, &loaded, &mut out).await,
        }
    }

    fn check(&self, options: &Options) -> Result<(), Failure> {
        if self.follow && options.output == Form::Json {
            let words = "-o json is one object, which --follow never ends\n  give -o jsonl";
            return Err(Failure::Usage(words.to_owned()));
        }
        let words = match (self.from, self.outcome) {
            (From::Table, Some(Outcome::Waiting)) => {
                "what waits is not in the table yet\n  give --from kafka"
            }
            (From::Kafka, Some(Outcome::Accepted | Outcome::Rejected)) => {
                "Kafka does not know what became of a postback\n  leave --from kafka out"
            }
            _ => return Ok(()),
        };
        Err(Failure::Usage(words.to_owned()))
    }

    /// As a filter of postbacks.
    fn filter(&self) -> Result<Filter, Failure> {
        let mut only = Filter::default();
        let outcome = Column::of(Table::Postbacks, "outcome");
        let conditions = [
            (Some(Column::source()), self.source.clone()),
            (
                outcome,
                self.outcome.map(|outcome| outcome.as_str().to_owned()),
            ),
        ];
        for (column, value) in conditions {
            if let (Some(column), Some(value)) = (column, value) {
                only.add(column, false, &value).map_err(Failure::failed)?;
            }
        }
        Ok(only)
    }
}

/// Where the rows go, batch by batch.
struct Out<'a> {
    options: &'a Options,
    console: &'a mut Console,
    follow: bool,
    is_first: bool,
}

impl Out<'_> {
    /// Writes what is new, after a warning of what is not in it.
    fn write_new(&mut self, sheet: &Sheet, missed: Option<&str>) -> Result<(), Failure> {
        if let Some(words) = missed {
            self.console.warn(words);
        }
        self.write(sheet)
    }

    /// Writes a batch; of the first, also its heading and notes.
    fn write(&mut self, sheet: &Sheet) -> Result<(), Failure> {
        if self.is_first && !(self.follow && sheet.rows.is_empty()) {
            self.is_first = false;
            sheet.write(self.options, self.console)?;
        } else if !sheet.rows.is_empty() {
            sheet.write_on(self.options, self.console)?;
        }
        if self.follow {
            self.console.finish()?;
        }
        Ok(())
    }
}
