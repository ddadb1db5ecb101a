//! Fetches, shows how far it is, and says what came of it.

use postback_common::config::ClickHouseSettings;
use postback_healing::backfill::{self, BackfillError, Outcome, Tools};
use postback_network::{NetworkApi, Patience};
use postback_service::lifecycle::Shutdown;
use tokio::signal::unix::{SignalKind, signal};

use super::Wanted;
use super::meter::Meter;
use super::outcome::About;
use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::progress::shown;
use crate::range;
use crate::servers::Trouble;

impl Wanted {
    /// Does all of it. Ctrl-C ends it in order, a second one at once.
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let (source, api) = self.source(&loaded.settings)?;
        let job = self.job(source, api, options, console)?;
        // A person waits for the end of it: an API that is away is said within a minute.
        let patience = Patience {
            attempts: 7,
            ..Patience::default()
        };
        let network = NetworkApi::new(api, patience);
        let tools = Tools {
            network: network.map_err(|error| failure(error.into(), &loaded.settings.clickhouse))?,
            api: api.clone(),
            settings: loaded.settings.clone(),
        };
        let meter = Meter::new(options.time_zone.clone());
        let stop = Shutdown::new();
        let mut interrupts = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
        let work = async {
            let mut work = Box::pin(backfill::run(&job, &tools, &stop, &meter));
            loop {
                tokio::select! {
                    ended = &mut work => {
                        return ended.map_err(|error| failure(error, &loaded.settings.clickhouse));
                    }
                    _ = interrupts.recv() => {
                        if stop.is_cancelled() {
                            return Err(Failure::Interrupted);
                        }
                        stop.cancel();
                    }
                }
            }
        };
        let outcome = shown(&meter, console, work).await?;
        conclude(&outcome, meter, self.dry_run, options, console)
    }
}

fn conclude(
    outcome: &Outcome,
    meter: Meter,
    is_dry: bool,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    if let Some(at) = outcome.went_on_at {
        console.note(format_args!(
            "Went on at {}: an earlier run stopped there.",
            range::shown(at, &options.time_zone)
        ));
    }
    let about = About {
        outcome,
        is_dry,
        zone: &options.time_zone,
    };
    let (sheet, unlisted) = about.sheet(meter);
    sheet.write(options, console)?;
    if unlisted > 0 {
        console.warn(format_args!(
            "{unlisted} more are not listed: ask for a shorter range"
        ));
    }
    if outcome.was_stopped {
        return Err(Failure::Interrupted);
    }
    let has_found = outcome.run.sent() + outcome.run.rejected > 0;
    Ok(if is_dry && has_found {
        Ending::Found
    } else {
        Ending::Done
    })
}

/// Which of ClickHouse, Kafka and the network's API is in the way, and what to do.
fn failure(error: BackfillError, clickhouse: &ClickHouseSettings) -> Failure {
    let remedy = match error.remedy() {
        remedy if remedy.contains("run it again") => remedy,
        remedy => format!("{remedy}; run it again"),
    };
    let trouble = match error {
        BackfillError::Store(error) => Trouble {
            remedy,
            ..Trouble::of_clickhouse(&error, clickhouse)
        },
        BackfillError::Api(error) => Trouble::new(format!("the network's API: {error}"), remedy),
        other => Trouble::new(other.to_string(), remedy),
    };
    trouble.into()
}
