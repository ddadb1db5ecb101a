//! `postback doctor`: is everything safe, connected, caught up?

mod answers;
mod certificate;
mod check;
mod clickhouse;
mod endpoint;
mod generations;
mod kafka;
mod loading;
mod refusals;
mod retention;
mod services;
mod spool;

use std::io::Write as _;

use clap::Args;

use super::load;
use crate::arguments::{Form, Options};
use crate::console::{Console, Tone};
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, plural, text};
use check::{Check, State, within};

/// Check everything: configuration, Kafka, ClickHouse, loading, ingest, spool, consumer, endpoints
#[derive(Debug, Args)]
#[command(after_help = "Example: postback doctor -o json\n\
    ✓ well, ! to be seen to, ✗ broken; each with its remedy. Changes nothing.\n\
    Exit code 3 when something is not well, 2 when the configuration is refused.")]
pub(crate) struct Doctor {}

impl Doctor {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let settings = &loaded.settings;
        let (
            kafka,
            clickhouse,
            identities,
            generations,
            retention,
            loading,
            refusals,
            ingest,
            spool,
            consumer,
            endpoints,
        ) = tokio::join!(
            within("kafka", kafka::check(settings)),
            within("clickhouse", clickhouse::check(settings)),
            within("identities", clickhouse::identities(&loaded)),
            within("generations", generations::check(&loaded, options)),
            within("retention", retention::check(settings)),
            within("loading", loading::check(settings)),
            within("refusals", refusals::check(settings)),
            within("ingest", services::ingest(settings)),
            within("spool", spool::check(settings)),
            within("consumer", services::consumer(settings)),
            endpoint::check(&loaded),
        );
        let sources = settings.sources.len();
        let sources = plural(sources, "source");
        let configuration = format!("{}: {sources}", options.config.display());
        let mut checks = vec![Check::well("configuration", configuration)];
        for (source, note) in loaded.configured.notes() {
            let remedy = "correct the template here and at the network";
            let what = format!("source {source}: {note}");
            checks.push(Check::doubtful("configuration", what, remedy));
        }
        let mut answers = vec![answers::check(settings)];
        answers.extend(certificate::check(settings));
        let all = [
            kafka,
            clickhouse,
            identities,
            generations,
            retention,
            loading,
            refusals,
            ingest,
            answers,
            spool,
            consumer,
            endpoints,
        ];
        checks.extend(all.into_iter().flatten());
        write(&checks, options, console)?;
        let well = checks.iter().all(|check| check.state == State::Well);
        Ok(if well { Ending::Done } else { Ending::Found })
    }
}

fn write(checks: &[Check], options: &Options, console: &mut Console) -> Result<(), Failure> {
    if options.output == Form::Table {
        let mut out = console.page();
        for check in checks {
            let tone = check.state.tone();
            writeln!(
                out,
                "{} {:<14} {}",
                tone.paint(check.state.mark()),
                check.name,
                check.what
            )?;
            if let Some(remedy) = &check.remedy {
                writeln!(
                    out,
                    "  {:<14} {}",
                    "",
                    Tone::Faint.paint(format!("remedy: {remedy}"))
                )?;
            }
        }
        return Ok(());
    }
    let mut sheet = Sheet::new(&[
        text("check", "Check"),
        text("state", "State"),
        text("what", "What"),
        text("remedy", "Remedy"),
    ]);
    sheet.fact(
        "well",
        checks.iter().all(|check| check.state == State::Well),
    );
    let row = |check: &Check| {
        vec![
            Cell::text(check.name),
            Cell::text(check.state.as_str()),
            Cell::text(&check.what),
            check.remedy.as_ref().map_or(Cell::Missing, Cell::text),
        ]
    };
    sheet.rows = checks.iter().map(row).collect();
    sheet.write(options, console)
}
