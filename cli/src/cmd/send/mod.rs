//! `postback send`: one test postback through the real endpoint, followed to its row.

mod delivery;
mod journey;
mod log;
mod reversal;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use postback_common::config::SourceSettings;
use postback_healing::probe::{Content, Values, mark};
use postback_normalise::Profile;
use postback_normalise::profile::Subject;

use super::door::{self, Door};
use super::{Loaded, load, source};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use delivery::Target;
use journey::Journey;
use log::Log;
use reversal::{counting, is_reversal, reversal};

/// Send one test postback to a source's URL, and follow it to its row
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback send --source rakuten-us --key-file url-key\n  \
    postback send --source rakuten-us --url http://127.0.0.1:8080 --set u1=abc --set sale_amount=12.50\n\n\
    The URL is ingest.public_url, or that of ingest's own listener without one, with the parameters of the \
    source's newest template. A network that sends by POST alone is played by a POST, with a body as it \
    writes one. A test is a signal (is_event=Y) where the network has signals: those pay \
    nothing and are in no sum. Elsewhere its amounts are zero. Its order begins with TEST-, its click id with \
    test. With --transaction it counts like any other; the command that takes it back is printed.\n\n\
    The time limit is the network's: 400 ms from the begin of connecting to the whole answer.\n\n\
    Exit code 3 when it was not answered with 2xx in time, was rejected, or did not reach its row.")]
pub(crate) struct Send {
    #[command(flatten)]
    door: Door,
    /// Value of one of the network's fields, by the network's own name
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = pair)]
    chosen: Vec<(String, String)>,
    /// Send a transaction, which counts in reports
    #[arg(long)]
    transaction: bool,
    /// How long to follow it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write FIELD=VALUE, such as u1=abc")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Send {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let source = source::find(&self.door.source, &loaded.settings)?;
        let Some(rules) = loaded.configured.source(source.name.as_str()) else {
            return Err(source::unknown(&self.door.source, &loaded.settings));
        };
        let profile = rules.profile();
        refuse_other_subjects(source, profile.about)?;
        let chosen = self.chosen(profile)?;
        let mark = mark().map_err(Failure::failed)?;
        let values = Values {
            source,
            profile,
            registered: source.newest_query(),
            mark: &mark,
            now: Timestamp::now(),
            is_transaction: self.transaction,
            chosen: &chosen,
        };
        let listener = door::listener(&loaded.settings);
        let default = loaded
            .settings
            .ingest
            .public_url
            .as_deref()
            .unwrap_or(&listener);
        let url = self.door.url(source, default)?;
        let authorization = self.door.authorization(source)?;
        let content = Content::of(&values);
        let target = Target::of(&url, &content, authorization.as_ref())?;
        if let Some(counting) = counting(&values)
            && !self.transaction
        {
            return Err(Failure::Usage(format!(
                "with {counting} it would count in reports\n  leave that out, or say --transaction to have it count"
            )));
        }
        let counts = self.transaction && !is_reversal(&values);
        // Not before there is a connection; and not after, or who interrupts would not know.
        let sending = || {
            if counts {
                console.warn(format_args!(
                    "this transaction counts in reports; this takes it back:\n  postback send {}{}",
                    self.door.options(),
                    reversal(&values)
                ));
            }
        };
        let journey = self.follow(&target, &loaded, sending).await;
        if counts && journey.is_refused() {
            console.note("It was refused, so it counts nowhere: there is nothing to take back.");
        }
        journey.sheet(&options.time_zone).write(options, console)?;
        Ok(journey.ending())
    }

    async fn follow(&self, target: &Target, loaded: &Loaded, sending: impl FnOnce()) -> Journey {
        let settings = &loaded.settings;
        // Before it is sent: what comes behind these offsets may be it.
        let log = Log::look(&settings.kafka).await;
        let mut journey = Journey::begin(target.address_shown());
        if let Some(id) = journey.deliver(target, sending).await {
            let until = tokio::time::Instant::now() + Duration::from_secs(self.wait);
            journey.through_kafka(log, id, until).await;
            journey.reach_its_row(&settings.clickhouse, id, until).await;
        }
        journey
    }

    fn chosen(&self, profile: &Profile) -> Result<BTreeMap<String, String>, Failure> {
        for (name, _) in &self.chosen {
            if profile.parameter(name).is_none() {
                let remedy = super::url::meant(name, profile).map_or_else(
                    || format!("`postback network show {}` lists them", profile.network),
                    |field| format!("did you mean {}?", field.name),
                );
                return Err(Failure::Usage(format!(
                    "{} has no field {name:?}\n  {remedy}",
                    profile.title
                )));
            }
        }
        Ok(self.chosen.iter().cloned().collect())
    }
}

/// A made-up order or line of a statement would stand among the real ones, and nothing takes it back.
fn refuse_other_subjects(source: &SourceSettings, about: Subject) -> Result<(), Failure> {
    let (what, command) = match about {
        Subject::Conversions => return Ok(()),
        Subject::Orders => ("own orders", "order"),
        Subject::Statements => ("a statement", "statement"),
    };
    let name = &source.name;
    Err(Failure::Usage(format!(
        "source {name} is about {what}, and a test would stand among the real ones\n  \
         bring in a file: postback {command} import FILE --source {name}; with --dry-run it only says what would come of it"
    )))
}
