//! What is fixed for accounts, between the configuration's rules and the database's record.

use std::collections::BTreeMap;
use std::path::Path;

use postback_common::config::{ConfigError, SourceSettings};
use postback_common::name::AccountName;
use postback_normalise::Configured;
use postback_normalise::configured::Fixed;
use postback_store::{AccountIdentity, WantedIdentity};

/// What the configuration would record for each of its accounts.
pub(crate) fn wanted(rules: &Configured) -> Vec<WantedIdentity> {
    let wanted = rules.accounts().iter().map(|account| WantedIdentity {
        account: account.name.clone(),
        proposed: AccountIdentity {
            identity: account.fixed.identity,
            key_day: account.fixed.key_day.as_str().to_owned(),
        },
        configured: account.configured,
    });
    wanted.collect()
}

/// Why the configuration and the record do not go together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountsError {
    /// The configuration contradicts the record.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The record has a word that this version does not know.
    #[error(
        "account {account}: its key_day is recorded as \"{key_day}\", which this version does not know\n    remedy: upgrade postback-consumer"
    )]
    KeyDay {
        account: AccountName,
        key_day: String,
    },
}

/// The rules of all sources under what is recorded for their accounts.
pub(crate) fn rules(
    file: &Path,
    sources: &[SourceSettings],
    recorded: BTreeMap<AccountName, AccountIdentity>,
) -> Result<Configured, AccountsError> {
    let mut fixed = BTreeMap::new();
    for (account, AccountIdentity { identity, key_day }) in recorded {
        let Ok(rule) = key_day.parse() else {
            return Err(AccountsError::KeyDay { account, key_day });
        };
        fixed.insert(
            account,
            Fixed {
                identity,
                key_day: rule,
            },
        );
    }
    Ok(Configured::new(sources, &fixed).map_err(|faults| ConfigError::refused(file, faults))?)
}
