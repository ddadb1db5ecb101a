//! What a file says, offered to the generations that are loaded: a new source is added, a changed
//! one changes nothing. A new source is not added where a generation loads its account by other keys
//! or days: the same sale would count twice.

use std::collections::BTreeMap;
use std::path::Path;

use clickhouse::Client;
use postback_common::config::{ConfigError, Fault, SourceSettings};
use postback_common::name::{AccountName, SourceName};
use postback_normalise::configured::{Account, Fixed};
use postback_normalise::recorded::Difference;
use postback_normalise::{Configured, NORMALISER_VERSION, Recorded, RecordedRules};
use postback_service::version::RELEASE;
use postback_store::generations::{Change, LaterRule, record_rule};
use postback_store::{
    AccountIdentity, Generation, Kind, Life, Lineage, StoreError, WantedIdentity, identities,
};
use tracing::warn;

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
        self.store().filter(|error| error.kind.passes_with_time())
    }

    /// What ClickHouse did not do.
    pub(super) fn store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Rules(RulesError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    /// Sources that a generation did not have, and those of which it did not have a template.
    pub(crate) added: Vec<(Generation, SourceName)>,
    /// New sources that a generation does not get.
    apart: Vec<Apart>,
}

/// A new source that would make other keys or days of the same sales than its account has in a
/// generation.
#[derive(Debug, PartialEq, Eq)]
struct Apart {
    generation: Generation,
    source: SourceName,
    account: AccountName,
    /// The source of the account that the generation has.
    from: SourceName,
    /// In what.
    differences: Vec<Difference>,
}

impl Apart {
    fn warn(&self) {
        let differs: Vec<_> = self.differences.iter().map(|one| one.as_str()).collect();
        warn!(
            generation = %self.generation,
            source = %self.source,
            account = %self.account,
            differs = differs.join(", "),
            from = %self.from,
            remedy = "`postback replay start` loads everything anew by the file's rules, these postbacks too; \
                or give the source what its account has in the generation, or an account of its own",
            "the new source is not added, and its postbacks are rejected as unknown_source: \
             the same sale would count twice with what its account is loaded by"
        );
    }
}

/// Offers the sources to every live generation that this version loads, and says which of the new
/// ones are not added.
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
        _ => {
            // Said when everything is done: what waits for ClickHouse is tried again from the start.
            offered.apart.iter().for_each(Apart::warn);
            Ok(offered)
        }
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
        match addition(generation, rules, proposed) {
            Ok(None) => {}
            Ok(Some(added)) => {
                record_added(client, generation, &added).await?;
                offered.added.push((generation, proposed.source.clone()));
            }
            Err(apart) => offered.apart.push(apart),
        }
    }
    Ok(())
}

/// What a generation gets of a source that is new to it, or of one that has new templates. Those are
/// read by the profile and in the zone that the generation has for the source.
fn addition(
    generation: Generation,
    rules: &RecordedRules,
    proposed: &Recorded,
) -> Result<Option<Recorded>, Apart> {
    if let Some(known) = rules.of(&proposed.source) {
        return Ok(known.with_new_templates(proposed));
    }
    match rules.apart_in_account(proposed) {
        None => Ok(Some(proposed.clone())),
        Some((from, differences)) => Err(Apart {
            generation,
            source: proposed.source.clone(),
            account: proposed.account.clone(),
            from: from.source.clone(),
            differences,
        }),
    }
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

#[cfg(test)]
mod tests {
    use postback_common::config;

    use super::*;

    /// The rules of sources of one account, each by its name and its zone.
    fn rules(sources: &[(&str, &str)]) -> RecordedRules {
        let sources = sources.iter().map(|(name, zone)| {
            format!(
                "[[source]]\nname = \"{name}\"\naccount = \"shop\"\nnetwork = \"generic\"\n\
                 time_zone = \"{zone}\"\nenabled = false\n"
            )
        });
        let text = format!(
            "[kafka]\nbrokers = \"a:1\"\n{}",
            sources.collect::<String>()
        );
        let settings = config::read(Path::new("t.toml"), &text, []).unwrap();
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        configured.recorded().clone()
    }

    /// A source that is not added, the one that it is apart from, and in what.
    type NotAdded = (String, String, Vec<Difference>);

    /// What a generation that is loaded by `rules` gets of a file's sources: those that are added, and
    /// those that are not.
    fn offered(loaded: &RecordedRules, file: &RecordedRules) -> (Vec<String>, Vec<NotAdded>) {
        let (mut added, mut apart) = (Vec::new(), Vec::new());
        for proposed in &file.sources {
            match addition(Generation::FIRST, loaded, proposed) {
                Ok(got) => added.extend(got.map(|got| got.source.to_string())),
                Err(one) => {
                    apart.push((
                        one.source.to_string(),
                        one.from.to_string(),
                        one.differences,
                    ));
                }
            }
        }
        (added, apart)
    }

    #[test]
    fn a_new_source_is_added_where_its_account_has_the_same_zone() {
        let loaded = rules(&[("eu", "Europe/Berlin")]);
        let same = rules(&[("eu", "Europe/Berlin"), ("de", "Europe/Berlin")]);
        assert_eq!(offered(&loaded, &same), (vec!["de".to_owned()], vec![]));
        // The file agrees with itself, and the generation stays as it was.
        let both = rules(&[("eu", "UTC"), ("de", "UTC")]);
        let apart = ("de".to_owned(), "eu".to_owned(), vec![Difference::TimeZone]);
        assert_eq!(offered(&loaded, &both), (vec![], vec![apart]));
        assert_eq!(offered(&both, &both), (vec![], vec![]));
    }

    #[test]
    fn a_new_source_of_an_account_of_its_own_is_added_whatever_its_zone() {
        let loaded = rules(&[("eu", "Europe/Berlin")]);
        let mut alone = rules(&[("de", "UTC")]);
        alone.sources[0].account = AccountName::new("other").unwrap();
        assert_eq!(offered(&loaded, &alone), (vec!["de".to_owned()], vec![]));
    }

    #[test]
    fn a_new_source_with_another_recipe_is_not_added_and_one_with_another_word_is() {
        let loaded = rules(&[("eu", "UTC")]);
        let with = |from: &str, to: &str| {
            let mut file = rules(&[("de", "UTC")]);
            let profile = file.sources[0].profile.as_mut().unwrap();
            assert!(profile.contains(from), "{from}");
            *profile = profile.replacen(from, to, 1);
            offered(&loaded, &file)
        };
        let recipe = with(
            "transaction_id = [\"transaction_id\"]",
            "transaction_id = [\"transaction_id\", \"order_id\"]",
        );
        let apart = (
            "de".to_owned(),
            "eu".to_owned(),
            vec![Difference::KeyRecipe],
        );
        assert_eq!(recipe, (vec![], vec![apart.clone()]));
        let name = with("\"txid\", ", "");
        assert_eq!(name, (vec![], vec![apart]));
        let word = with("\"hold\", ", "\"hold\", \"waits\", ");
        assert_eq!(word, (vec!["de".to_owned()], vec![]));
    }
}
