//! `postback migrate`: make what is missing in Kafka and ClickHouse.

use std::collections::BTreeMap;

use clap::Args;
use postback_common::config::{ConfigError, Settings};
use postback_common::name::AccountName;
use postback_normalise::configured::{Account, Fixed};
use postback_normalise::{Configured, Identity, NORMALISER_VERSION};
use postback_service::topic::{self, Ensured, Purpose, TopicState};
use postback_service::version;
use postback_store::identities::{self, Settled};
use postback_store::{AccountIdentity, Generation, Manifest, Report, WantedIdentity};

use super::{Loaded, load};
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, plural, text};
use crate::replays::Record;
use crate::servers::Trouble;

/// Make the topics in Kafka and the tables in ClickHouse where they are missing
#[derive(Debug, Args)]
#[command(after_help = "Example: postback migrate\n\
    Safe at any time, also several times and from several machines at once. What is there already is \
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
    let report = postback_store::migrate(settings, manifest).await;
    let Report { active, mut steps } =
        report.map_err(|error| Trouble::of_clickhouse(&error, settings))?;
    let settled = settle(loaded, active).await?;
    steps.extend(settled.steps);
    let done = steps.iter().map(ToString::to_string);
    sheet
        .rows
        .extend(done.map(|done| vec![Cell::text("clickhouse"), Cell::Text(done)]));
    sheet.fact("generation", active.number());
    agree(loaded, options, &settled.identities)
}

/// Accounts keep what the generation is loaded by, whatever the file would give them by now.
async fn settle(loaded: &Loaded, active: Generation) -> Result<Settled, Failure> {
    let record = Record::of(&loaded.settings)?;
    let lineage = record.lineage().await?;
    let life = lineage.lives.get(&active);
    let by_rules = match life {
        Some(life) if life.record.normaliser_version == NORMALISER_VERSION => {
            record.rules(life).await?.fixed()
        }
        // Another version may have written what this one cannot read.
        _ => BTreeMap::new(),
    };
    let by_rules: Vec<_> = (by_rules.into_iter())
        .map(|(account, fixed)| wanted(account, fixed, None))
        .collect();
    let by_file: Vec<_> = loaded.configured.accounts().iter().map(of_file).collect();
    let settled = identities::settle(&record.client, active, &by_rules, &by_file).await;
    settled.map_err(|error| record.trouble(&error))
}

/// What the file gives an account.
pub(crate) fn of_file(account: &Account) -> WantedIdentity {
    wanted(account.name.clone(), account.fixed, account.configured)
}

fn wanted(account: AccountName, fixed: Fixed, configured: Option<Identity>) -> WantedIdentity {
    WantedIdentity {
        account,
        proposed: AccountIdentity {
            identity: fixed.identity,
            key_day: fixed.key_day.as_str().to_owned(),
        },
        configured,
    }
}

/// What was recorded when an account was first loaded holds: templates that cannot serve it are
/// refused.
fn agree(
    loaded: &Loaded,
    options: &Options,
    identities: &BTreeMap<AccountName, AccountIdentity>,
) -> Result<(), Failure> {
    let fixed = fixed(identities).map_err(Failure::failed)?;
    Configured::new(&loaded.settings.sources, &fixed)
        .map(drop)
        .map_err(|faults| ConfigError::refused(&options.config, faults).into())
}

/// Recorded identities in the normaliser's words.
pub(super) fn fixed(
    recorded: &BTreeMap<AccountName, AccountIdentity>,
) -> Result<BTreeMap<AccountName, Fixed>, postback_normalise::identity::UnknownKeyDayRule> {
    let fixed = recorded.iter().map(|(account, recorded)| {
        let fixed = Fixed {
            identity: recorded.identity,
            key_day: recorded.key_day.parse()?,
        };
        Ok((account.clone(), fixed))
    });
    fixed.collect()
}
