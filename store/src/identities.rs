//! Identity of each account's conversions, fixed for a generation when it first sees the account.
//!
//! Under another identity or another day the same conversion would count twice, so whoever comes
//! first decides, and everyone reads back what was decided.

use std::collections::BTreeMap;

use clickhouse::{Client, Row};
use postback_common::config::Identity;
use postback_common::name::AccountName;
use serde::Deserialize;

use crate::connection::run;
use crate::error::{Kind, StoreError};
use crate::migrate::Step;
use crate::recorded;
use crate::tables::{ACCOUNT_IDENTITIES, Generation};

/// What an account's conversions are known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountIdentity {
    /// What makes two postbacks one conversion.
    pub identity: Identity,
    /// The rule for `key_day`, by the normaliser's word for it.
    pub key_day: String,
}

/// What the configuration would give an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedIdentity {
    /// The account.
    pub account: AccountName,
    /// Recorded if the account is new.
    pub proposed: AccountIdentity,
    /// What the configuration demands by name; a default gives way to what is recorded.
    pub configured: Option<Identity>,
}

/// What holds for a generation's accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// By account.
    pub identities: BTreeMap<AccountName, AccountIdentity>,
    /// Those that were recorded just now.
    pub steps: Vec<Step>,
}

#[derive(Row, Deserialize)]
struct Frozen {
    account: String,
    identity: String,
    key_day: String,
}

/// All identities that hold in a generation, by account.
///
/// # Errors
/// As the server answers; [`Kind::Contradiction`] for an identity that this version does not know.
pub async fn read(
    client: &Client,
    generation: Generation,
) -> Result<BTreeMap<AccountName, AccountIdentity>, StoreError> {
    let attempt = "read the accounts' identities";
    let order = recorded::order(ACCOUNT_IDENTITIES, "frozen_at", "(generation, account)");
    let sql = format!(
        "SELECT ?fields FROM {ACCOUNT_IDENTITIES} WHERE generation = ? ORDER BY account, {order} LIMIT 1 BY account"
    );
    let rows: Vec<Frozen> = run(
        attempt,
        client.query(&sql).bind(generation.number()).fetch_all(),
    )
    .await?;
    let understood = |row: Frozen| {
        let account = AccountName::new(&row.account).ok()?;
        let identity = Identity::from_name(&row.identity)?;
        Some((
            account,
            AccountIdentity {
                identity,
                key_day: row.key_day,
            },
        ))
    };
    rows.into_iter()
        .map(understood)
        .collect::<Option<_>>()
        .ok_or_else(|| {
            let message = format!(
                "{ACCOUNT_IDENTITIES} holds an account or identity that this version does not know"
            );
            StoreError::own(
                Kind::Contradiction,
                attempt,
                message,
                "upgrade this program",
            )
        })
}

/// Records the accounts that are new to a generation, and returns what holds for all of them.
///
/// # Errors
/// [`Kind::Contradiction`] where the configuration demands another identity than the recorded one.
pub async fn freeze(
    client: &Client,
    generation: Generation,
    wanted: &[WantedIdentity],
) -> Result<BTreeMap<AccountName, AccountIdentity>, StoreError> {
    let known = read(client, generation).await?;
    let mut is_changed = false;
    for new in wanted
        .iter()
        .filter(|wanted| !known.contains_key(&wanted.account))
    {
        record(client, generation, new).await?;
        is_changed = true;
    }
    // What another process recorded before us counts, and the server's order decides who was first.
    let frozen = if is_changed {
        read(client, generation).await?
    } else {
        known
    };
    for wanted in wanted {
        if let Some(recorded) = frozen.get(&wanted.account) {
            check(wanted, recorded)?;
        }
    }
    Ok(frozen)
}

/// Records the accounts that are new to a generation: first what its own rules load them by, which
/// may stand nowhere yet, then what a file would give those that the rules do not know.
///
/// # Errors
/// As [`freeze`].
pub async fn settle(
    client: &Client,
    generation: Generation,
    by_rules: &[WantedIdentity],
    by_file: &[WantedIdentity],
) -> Result<Settled, StoreError> {
    let known = read(client, generation).await?;
    freeze(client, generation, by_rules).await?;
    let identities = freeze(client, generation, by_file).await?;
    let new = (identities.iter()).filter(|(account, _)| !known.contains_key(*account));
    let steps =
        new.map(|(account, identity)| Step::AccountFrozen(account.clone(), identity.clone()));
    Ok(Settled {
        steps: steps.collect(),
        identities,
    })
}

async fn record(
    client: &Client,
    generation: Generation,
    new: &WantedIdentity,
) -> Result<(), StoreError> {
    let attempt = format!("record the identity of account {}", new.account);
    let time = recorded::time(ACCOUNT_IDENTITIES, "frozen_at");
    let sql = format!(
        "INSERT INTO {ACCOUNT_IDENTITIES} (generation, account, identity, key_day, frozen_at) \
         SELECT ?, ?, ?, ?, {time}"
    );
    let insert = client
        .query(&sql)
        .bind(generation.number())
        .bind(new.account.as_str())
        .bind(new.proposed.identity.as_str())
        .bind(&new.proposed.key_day);
    run(&attempt, insert.with_setting("async_insert", "0").execute()).await
}

fn check(wanted: &WantedIdentity, recorded: &AccountIdentity) -> Result<(), StoreError> {
    match wanted.configured {
        Some(configured) if configured != recorded.identity => Err(StoreError::own(
            Kind::Contradiction,
            "compare the accounts' identities",
            format!(
                "account {}: the configuration says identity = \"{configured}\", but its conversions are known by \"{}\" \
                 since it was first loaded; under another identity they would count twice",
                wanted.account, recorded.identity
            ),
            format!(
                "write identity = \"{}\" for every source of the account, or give the source an account of its own, \
                 or load everything anew with `postback replay start`",
                recorded.identity
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(configured: Option<Identity>) -> WantedIdentity {
        WantedIdentity {
            account: AccountName::new("main").unwrap(),
            proposed: recorded(Identity::TransactionId),
            configured,
        }
    }

    fn recorded(identity: Identity) -> AccountIdentity {
        AccountIdentity {
            identity,
            key_day: "date".to_owned(),
        }
    }

    #[test]
    fn a_default_gives_way_and_a_demand_does_not() {
        let order = recorded(Identity::Order);
        assert_eq!(check(&wanted(None), &order), Ok(()));
        assert_eq!(check(&wanted(Some(Identity::Order)), &order), Ok(()));

        let error = check(&wanted(Some(Identity::None)), &order).unwrap_err();
        assert_eq!(error.kind, Kind::Contradiction);
        assert!(error.message.contains("account main") && error.message.contains("\"none\""));
        assert!(error.remedy.contains("identity = \"order\""), "{error}");
    }
}
