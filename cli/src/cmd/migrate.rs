//! `postback migrate`: make what is missing in Kafka and ClickHouse.

use std::collections::BTreeMap;

use clap::Args;
use postback_common::config::{ConfigError, Settings};
use postback_normalise::configured::{Account, Fixed};
use postback_normalise::{Configured, NORMALISER_VERSION};
use postback_service::topic::{self, Ensured, Purpose, TopicState};
use postback_service::version;
use postback_store::{AccountIdentity, Manifest, Report, WantedIdentity};

use super::{Loaded, load};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, plural, text};
use crate::servers::Trouble;

/// Make the topics in Kafka and the tables in ClickHouse where they are missing
#[derive(Debug, Args)]
#[command(after_help = "Example: postback migrate\n\
    Safe at any time, also several times and from several machines at once. What is there already is\n\
    left as it is; what is not safe about it is said.")]
pub(crate) struct Migrate {}

impl Migrate {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let mut sheet = Sheet::new(&[text("where", "Where"), text("done", "Done")]);
        // One server that is away does not keep the other from being made ready.
        let kafka = kafka(&loaded.settings, &mut sheet, console).await;
        let clickhouse = clickhouse(&loaded, options, &mut sheet).await;
        if sheet.rows.is_empty() && kafka.is_ok() && clickhouse.is_ok() {
            sheet
                .notes
                .push("Nothing to do: everything is there.".to_owned());
        }
        sheet.write(options, console)?;
        match (kafka, clickhouse) {
            (Err(kafka), Err(clickhouse)) => {
                console.failure(&kafka.into());
                Err(clickhouse)
            }
            (kafka, clickhouse) => {
                kafka?;
                clickhouse?;
                Ok(Ending::Done)
            }
        }
    }
}

async fn kafka(
    settings: &Settings,
    sheet: &mut Sheet,
    console: &mut Console,
) -> Result<(), Trouble> {
    console.detail(format_args!("Kafka: {}", settings.kafka.brokers.join(", ")));
    for purpose in [Purpose::Raw, Purpose::Refused] {
        let ensured = topic::ensure(settings, purpose).await;
        let ensured = ensured.map_err(|error| Trouble::of_kafka(&error))?;
        let state = topic::inspect(&settings.kafka, purpose).await;
        let state = state.map_err(|error| Trouble::of_kafka(&error))?;
        let TopicState::Present(topic) = state else {
            continue;
        };
        if ensured == Ensured::Created {
            let partitions = plural(topic.partitions, "partition");
            let done = format!("made topic {} with {partitions}", topic.name);
            sheet.rows.push(vec![Cell::text("kafka"), Cell::Text(done)]);
        }
        let mut findings = topic::findings(&topic, settings, purpose);
        if purpose == Purpose::Raw {
            findings.extend(topic::history_findings(&topic, settings));
            console.detail(topic::history(&topic, settings));
        }
        for finding in findings {
            console.warn(Trouble::new(finding.what, finding.remedy));
        }
    }
    Ok(())
}

async fn clickhouse(loaded: &Loaded, options: &Options, sheet: &mut Sheet) -> Result<(), Failure> {
    let settings = &loaded.settings.clickhouse;
    let rules = loaded.configured.recorded().to_json();
    let rules = rules.map_err(Failure::failed)?;
    let made_by = format!("postback {}", version::VERSION);
    let manifest = Manifest {
        normaliser_version: NORMALISER_VERSION,
        rules: &rules,
        made_by: &made_by,
    };
    let accounts: Vec<_> = loaded.configured.accounts().iter().map(wanted).collect();
    let report = postback_store::migrate(settings, manifest, &accounts).await;
    let report = report.map_err(|error| Trouble::of_clickhouse(&error, settings))?;
    let done = report.steps.iter().map(ToString::to_string);
    sheet
        .rows
        .extend(done.map(|done| vec![Cell::text("clickhouse"), Cell::Text(done)]));
    sheet.fact("generation", report.active.number());
    agree(loaded, options, &report)
}

fn wanted(account: &Account) -> WantedIdentity {
    WantedIdentity {
        account: account.name.clone(),
        proposed: AccountIdentity {
            identity: account.fixed.identity,
            key_day: account.fixed.key_day.as_str().to_owned(),
        },
        configured: account.configured,
    }
}

/// What was recorded when an account was first loaded holds: templates that cannot serve it are
/// refused.
fn agree(loaded: &Loaded, options: &Options, report: &Report) -> Result<(), Failure> {
    let fixed = fixed(&report.identities).map_err(Failure::failed)?;
    Configured::new(&loaded.settings.sources, &fixed)
        .map(drop)
        .map_err(|faults| ConfigError::refused(&options.config, faults).into())
}

/// Recorded identities in the normaliser's words.
pub(super) fn fixed(
    recorded: &BTreeMap<postback_common::name::AccountName, AccountIdentity>,
) -> Result<
    BTreeMap<postback_common::name::AccountName, Fixed>,
    postback_normalise::identity::UnknownKeyDayRule,
> {
    let fixed = recorded.iter().map(|(account, recorded)| {
        let fixed = Fixed {
            identity: recorded.identity,
            key_day: recorded.key_day.parse()?,
        };
        Ok((account.clone(), fixed))
    });
    fixed.collect()
}
