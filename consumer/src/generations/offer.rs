//! What a file says, offered to the generations that are loaded: a new source is added, a changed
//! one changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use clickhouse::Client;
use postback_common::config::{ConfigError, Fault, SourceSettings};
use postback_common::name::{AccountName, SourceName};
use postback_normalise::configured::{Account, Fixed};
use postback_normalise::{Configured, NORMALISER_VERSION, Recorded, RecordedRules};
use postback_service::version::RELEASE;
use postback_store::generations::{Change, LaterRule, record_rule};
use postback_store::{
    AccountIdentity, Generation, Kind, Life, Lineage, StoreError, WantedIdentity, identities,
};

use super::rules::{RulesError, current};

/// Why a file's sources are refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OfferError {
    /// No generation can be loaded with them.
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record has a word that this version does not know.
    #[error(
        "account {account}: its key_day is recorded as \"{key_day}\", which this version does not know\n    remedy: upgrade postback-consumer"
    )]
    KeyDay {
        account: AccountName,
        key_day: String,
    },
}

impl OfferError {
    /// Waiting may help: ClickHouse could not be asked.
    pub(crate) fn passing(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Rules(RulesError::Store(error)) => {
                Some(error).filter(|error| error.kind.passes_with_time())
            }
            _ => None,
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    /// Sources that a generation did not have, and those of which it did not have a template.
    pub(crate) added: Vec<(Generation, SourceName)>,
}

/// Offers the sources to every live generation that this version loads.
///
/// # Errors
/// [`OfferError::Config`] where no such generation could be loaded with them: an account would be
/// known by something that its postbacks no longer carry.
pub(crate) async fn offer(
    client: &Client,
    file: &Path,
    sources: &[SourceSettings],
    lineage: &Lineage,
) -> Result<Offered, OfferError> {
    let ours = |life: &&Life| life.record.normaliser_version == NORMALISER_VERSION;
    let mut offered = Offered::default();
    let mut refused: Option<ConfigError> = None;
    let mut is_taken = false;
    for life in lineage.live().filter(ours) {
        let rules = current(client, life).await?;
        match fitting(client, life.generation, sources, &rules).await? {
            Ok(configured) => {
                is_taken = true;
                add_to(client, life.generation, &rules, &configured, &mut offered).await?;
            }
            Err(faults) if refused.is_none() || lineage.active == Some(life.generation) => {
                refused = Some(ConfigError::refused(file, faults));
            }
            Err(_) => {}
        }
    }
    match refused {
        Some(error) if !is_taken => Err(error.into()),
        _ => Ok(offered),
    }
}

/// The file's rules under what is fixed for the accounts of a generation.
async fn fitting(
    client: &Client,
    generation: Generation,
    sources: &[SourceSettings],
    rules: &RecordedRules,
) -> Result<Result<Configured, Vec<Fault>>, OfferError> {
    let known: Vec<_> = (rules.fixed().iter())
        .map(|(account, fixed)| wanted(account, *fixed))
        .collect();
    let fixed = fixed(identities::freeze(client, generation, &known).await?)?;
    let proposed = match Configured::new(sources, &fixed) {
        Ok(proposed) => proposed,
        Err(faults) => return Ok(Err(faults)),
    };
    let new: Vec<_> = proposed.accounts().iter().map(of_file).collect();
    let frozen = identities::freeze(client, generation, &new).await;
    let frozen = match frozen {
        // Somebody else recorded the account otherwise just now: the file's words about it say why.
        Err(error) if error.kind == Kind::Contradiction => {
            identities::read(client, generation).await?
        }
        frozen => frozen?,
    };
    Ok(Configured::new(sources, &self::fixed(frozen)?))
}

async fn add_to(
    client: &Client,
    generation: Generation,
    rules: &RecordedRules,
    configured: &Configured,
    offered: &mut Offered,
) -> Result<(), OfferError> {
    for proposed in &configured.recorded().sources {
        let source = &proposed.source;
        let known = rules.of(source);
        let added = match known {
            None => Some(proposed.clone()),
            Some(known) => known.with_new_templates(proposed),
        };
        if let Some(added) = &added {
            record_added(client, generation, added).await?;
            offered.added.push((generation, source.clone()));
        }
    }
    Ok(())
}

async fn record_added(
    client: &Client,
    generation: Generation,
    added: &Recorded,
) -> Result<(), OfferError> {
    let rule = added.to_json();
    let rule = rule.map_err(|error| RulesError::Recorded { generation, error })?;
    let later = LaterRule {
        source: added.source.to_string(),
        change: Change::Added,
        rule,
    };
    let by = format!("postback-consumer {RELEASE}");
    Ok(record_rule(client, generation, &later, "", &by).await?)
}

fn wanted(account: &AccountName, fixed: Fixed) -> WantedIdentity {
    WantedIdentity {
        account: account.clone(),
        proposed: AccountIdentity {
            identity: fixed.identity,
            key_day: fixed.key_day.as_str().to_owned(),
        },
        configured: None,
    }
}

fn of_file(account: &Account) -> WantedIdentity {
    WantedIdentity {
        configured: account.configured,
        ..wanted(&account.name, account.fixed)
    }
}

fn fixed(
    recorded: BTreeMap<AccountName, AccountIdentity>,
) -> Result<BTreeMap<AccountName, Fixed>, OfferError> {
    let fixed = recorded.into_iter().map(|(account, recorded)| {
        let AccountIdentity { identity, key_day } = recorded;
        let Ok(key_day) = key_day.parse() else {
            return Err(OfferError::KeyDay { account, key_day });
        };
        Ok((account, Fixed { identity, key_day }))
    });
    fixed.collect()
}
