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

use std::future::Future;
use std::io::Write as _;

use clap::{Args, ValueEnum};

use super::load;
use crate::arguments::{Form, Options};
use crate::console::{Console, Tone};
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, plural, text};
use check::{Check, within};

/// Check everything: configuration, Kafka, ClickHouse, loading, ingest, spool, consumer, endpoints
#[derive(Debug, Args)]
#[command(after_help = "Example: postback doctor -o json\n\
    ✓ well, ! to be seen to, ✗ broken, each with its remedy; - left out. Changes nothing.\n\
    Exit code 3 when something is not well, 2 when the configuration is refused.")]
pub(crate) struct Doctor {
    /// Leave out what only the host of a service can tell, because it runs on another one
    ///
    /// Of ingest also its spool and certificate. Kafka, ClickHouse, and what consumers have loaded,
    /// are looked at all the same.
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    without: Vec<Service>,
}

/// What may run on another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Service {
    Ingest,
    Consumer,
}

impl Service {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Consumer => "consumer",
        }
    }
}

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
            self.unless_elsewhere(Service::Ingest, "ingest", services::ingest(settings)),
            self.unless_elsewhere(Service::Ingest, "spool", spool::check(settings)),
            self.unless_elsewhere(Service::Consumer, "consumer", services::consumer(settings)),
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
        if settings.ingest.tls.is_some() {
            let check = async { certificate::check(settings).into_iter().collect() };
            answers.extend(
                self.unless_elsewhere(Service::Ingest, certificate::NAME, check)
                    .await,
            );
        }
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
        Ok(if are_fine(&checks) {
            Ending::Done
        } else {
            Ending::Found
        })
    }

    /// The check, or that it was left out: what nobody looked at must not look well.
    async fn unless_elsewhere(
        &self,
        service: Service,
        name: &'static str,
        check: impl Future<Output = Vec<Check>>,
    ) -> Vec<Check> {
        if !self.without.contains(&service) {
            return within(name, check).await;
        }
        let what = format!("left out, not looked at (--without {})", service.as_str());
        vec![Check::left_out(name, what)]
    }
}

/// Whether nothing that was looked at needs to be seen to.
fn are_fine(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.state.is_fine())
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
    sheet.fact("well", are_fine(checks));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_elsewhere_is_left_out_and_said_to_be() {
        let doctor = Doctor {
            without: vec![Service::Consumer],
        };
        let ask = async |service| {
            let check = async { vec![Check::broken("x", "no answer", "start it")] };
            doctor.unless_elsewhere(service, "x", check).await
        };
        let left_out = ask(Service::Consumer).await;
        let expected = Check::left_out("x", "left out, not looked at (--without consumer)");
        assert_eq!(left_out, [expected]);
        assert!(are_fine(&left_out));
        assert!(!are_fine(&ask(Service::Ingest).await));
    }

    #[test]
    fn services_are_named_as_they_are_asked_for() {
        for service in Service::value_variants() {
            let accepted = service.to_possible_value().unwrap();
            assert_eq!(accepted.get_name(), service.as_str());
        }
    }
}
