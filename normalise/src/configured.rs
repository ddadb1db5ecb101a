//! The rules of every configured source, checked against each other and against what was fixed
//! when an account was first loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use postback_common::config::{Fault, FaultCode, SourceSettings};
use postback_common::name::{AccountName, SourceName};
use serde::Serialize;

use crate::currency::Currency;
use crate::identity::{self, Identity, KeyDayRule};
use crate::mapping::Mapping;
use crate::profile::{self, Profile};
use crate::rules::{RulesError, SourceDescription, SourceRules};
use crate::template::{Template, TemplateNote};

/// What is fixed for an account for good: under another identity or day its conversions would
/// count twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    /// What makes two postbacks one conversion.
    pub identity: Identity,
    /// Where the day comes from.
    pub key_day: KeyDayRule,
}

/// An account of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// What holds for it, or would hold if it were loaded now for the first time.
    pub fixed: Fixed,
    /// The identity that the configuration demands by name.
    pub configured: Option<Identity>,
}

/// The rules of all sources of a configuration.
#[derive(Debug, Clone)]
pub struct Configured {
    sources: BTreeMap<SourceName, Arc<SourceRules>>,
    accounts: Vec<Account>,
    notes: Vec<(SourceName, TemplateNote)>,
    recorded: Vec<Recorded>,
}

/// A source's rules as a generation records them. The URL's path, which holds the key, is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recorded {
    source: SourceName,
    network: String,
    account: AccountName,
    identity: Identity,
    key_day: KeyDayRule,
    currency: Option<String>,
    time_zone: Option<String>,
    template_query: Option<String>,
}

impl Configured {
    /// Builds the rules of all sources. `fixed` is what was recorded for accounts when they were
    /// first loaded; empty where that is not known, or nothing was loaded yet.
    ///
    /// An account without a record takes the identity that one of its sources demands, or else the
    /// best that the template of its first source can serve.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and remedy.
    pub fn new(
        sources: &[SourceSettings],
        fixed: &BTreeMap<AccountName, Fixed>,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut parsed = Vec::new();
        for source in sources {
            match Parsed::of(source) {
                Ok(source) => parsed.push(source),
                Err(found) => faults.extend(found),
            }
        }
        let accounts = accounts(&parsed, fixed, &mut faults);
        let mut configured = Self {
            sources: BTreeMap::new(),
            accounts: accounts.into_values().collect(),
            notes: Vec::new(),
            recorded: Vec::new(),
        };
        for source in parsed {
            if let Err(fault) = configured.add(source) {
                faults.push(fault);
            }
        }
        if faults.is_empty() {
            Ok(configured)
        } else {
            Err(faults)
        }
    }

    fn add(&mut self, source: Parsed<'_>) -> Result<(), Fault> {
        let settings = source.settings;
        let account = self
            .accounts
            .iter()
            .find(|account| account.name == settings.account);
        let fixed = account.map(|account| account.fixed);
        let notes = source.template.iter().flat_map(Template::notes).cloned();
        self.notes
            .extend(notes.map(|note| (settings.name.clone(), note)));
        let rules = SourceRules::new(SourceDescription {
            source: settings.name.clone(),
            account: settings.account.clone(),
            profile: Arc::clone(source.profile),
            currency: source.currency,
            zone: settings.time_zone.clone(),
            template: source.template,
            identity: fixed.map(|fixed| fixed.identity),
            key_day_rule: fixed.map(|fixed| fixed.key_day),
        });
        let rules = rules.map_err(|error| unserved(settings, &error))?;
        self.recorded.push(Recorded {
            source: settings.name.clone(),
            network: rules.profile().network.to_string(),
            account: settings.account.clone(),
            identity: rules.identity(),
            key_day: rules.key_day_rule(),
            currency: settings.currency.clone(),
            time_zone: settings.time_zone.iana_name().map(str::to_owned),
            template_query: query(settings).map(str::to_owned),
        });
        self.sources.insert(settings.name.clone(), Arc::new(rules));
        Ok(())
    }

    /// The rules of a source; `None` where the configuration has no such source.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Arc<SourceRules>> {
        self.sources.get(name)
    }

    /// All accounts, each once, by name.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// What works, but hardly as meant.
    #[must_use]
    pub fn notes(&self) -> &[(SourceName, TemplateNote)] {
        &self.notes
    }

    /// What a generation records of these rules, to be written as JSON.
    #[must_use]
    pub fn recorded(&self) -> &[Recorded] {
        &self.recorded
    }
}

/// A source by itself, before its account is looked at.
struct Parsed<'a> {
    settings: &'a SourceSettings,
    profile: &'static Arc<Profile>,
    currency: Option<Currency>,
    template: Option<Template>,
}

impl<'a> Parsed<'a> {
    fn of(settings: &'a SourceSettings) -> Result<Self, Vec<Fault>> {
        let Some(profile) = profile::builtin(settings.network.as_str()) else {
            return Err(vec![unknown_network(settings)]);
        };
        let template = template(settings, profile).transpose();
        let currency = currency(settings).transpose();
        match (template, currency) {
            (Ok(template), Ok(currency)) => Ok(Self {
                settings,
                profile,
                currency,
                template,
            }),
            (template, currency) => Err(template.err().into_iter().chain(currency.err()).collect()),
        }
    }

    fn best(&self) -> Fixed {
        let own_names;
        let mapping = match &self.template {
            Some(template) => template.mapping(),
            None => {
                own_names = Mapping::of_profile(self.profile);
                &own_names
            }
        };
        Fixed {
            identity: identity::best_of(self.profile, mapping),
            key_day: KeyDayRule::best_of(self.profile, mapping),
        }
    }
}

fn template(settings: &SourceSettings, profile: &Profile) -> Option<Result<Template, Fault>> {
    settings.template.as_ref()?;
    let parsed = Template::of_query(query(settings).unwrap_or_default(), profile);
    Some(parsed.map_err(|error| {
        let text = error.to_string();
        let (problem, remedy) = text.split_once("; ").unwrap_or((&text, "give another URL"));
        Fault::new(
            FaultCode::BadValue,
            &key(settings, "template.url"),
            problem,
            remedy,
        )
    }))
}

fn currency(settings: &SourceSettings) -> Option<Result<Currency, Fault>> {
    let code = settings.currency.as_ref()?;
    Some(code.parse().map_err(|_| {
        let (key, remedy) = (
            key(settings, "currency"),
            "give an ISO 4217 code, such as \"USD\"",
        );
        Fault::new(
            FaultCode::BadValue,
            &key,
            "is no currency of ISO 4217",
            remedy,
        )
        .with_value(format_args!("\"{code}\""))
    }))
}

fn unknown_network(settings: &SourceSettings) -> Fault {
    let known: Vec<&str> = profile::all()
        .iter()
        .map(|profile| profile.network.as_str())
        .collect();
    Fault::new(
        FaultCode::BadValue,
        &key(settings, "network"),
        "no profile of this network is built in",
        format!("use one of: {}", known.join(", ")),
    )
    .with_value(format_args!("\"{}\"", settings.network))
}

/// What holds for each account; sources of one account must agree.
fn accounts(
    sources: &[Parsed<'_>],
    fixed: &BTreeMap<AccountName, Fixed>,
    faults: &mut Vec<Fault>,
) -> BTreeMap<AccountName, Account> {
    let mut firsts: BTreeMap<&AccountName, &Parsed<'_>> = BTreeMap::new();
    let mut demands: BTreeMap<&AccountName, (Identity, &Parsed<'_>)> = BTreeMap::new();
    for source in sources {
        let account = &source.settings.account;
        let first = firsts.entry(account).or_insert(source);
        if first.profile.network != source.profile.network {
            faults.push(two_networks(source.settings, first.settings));
        }
        if let Some(identity) = source.settings.identity {
            let (demanded, by) = demands.entry(account).or_insert((identity, source));
            if *demanded != identity {
                faults.push(two_identities(
                    source.settings,
                    identity,
                    *demanded,
                    by.settings,
                ));
            }
        }
    }
    let account = |(name, first): (&AccountName, &Parsed<'_>)| {
        let configured = demands.get(name).map(|(identity, _)| *identity);
        let best = first.best();
        let fresh = Fixed {
            identity: configured.unwrap_or(best.identity),
            ..best
        };
        let fixed = fixed.get(name).copied().unwrap_or(fresh);
        let name = name.clone();
        (
            name.clone(),
            Account {
                name,
                fixed,
                configured,
            },
        )
    };
    let accounts: BTreeMap<_, _> = firsts.into_iter().map(account).collect();
    for (name, (identity, by)) in demands {
        let recorded = fixed.get(name).map(|fixed| fixed.identity);
        if let Some(recorded) = recorded.filter(|recorded| *recorded != identity) {
            faults.push(recorded_otherwise(by.settings, identity, recorded));
        }
    }
    accounts
}

fn two_networks(source: &SourceSettings, first: &SourceSettings) -> Fault {
    let problem = format!(
        "source {} of the same account is one of network {}: their ids could be the same and mean different sales",
        first.name, first.network
    );
    let remedy = "give each network an account of its own";
    Fault::new(
        FaultCode::Contradiction,
        &key(source, "account"),
        problem,
        remedy,
    )
    .with_value(format_args!("\"{}\"", source.account))
}

fn two_identities(
    source: &SourceSettings,
    identity: Identity,
    demanded: Identity,
    by: &SourceSettings,
) -> Fault {
    let problem = format!("source {} of the same account says \"{demanded}\"", by.name);
    let remedy = "give all sources of an account the same identity";
    Fault::new(
        FaultCode::Contradiction,
        &key(source, "identity"),
        problem,
        remedy,
    )
    .with_value(format_args!("\"{identity}\""))
}

fn recorded_otherwise(source: &SourceSettings, identity: Identity, recorded: Identity) -> Fault {
    let problem = format!(
        "conversions of account {} are known by \"{recorded}\" since it was first loaded; under another identity they would count twice",
        source.account
    );
    let remedy = format!(
        "write \"{recorded}\" for every source of the account, or give the source an account of its own"
    );
    Fault::new(
        FaultCode::Contradiction,
        &key(source, "identity"),
        problem,
        remedy,
    )
    .with_value(format_args!("\"{identity}\""))
}

fn unserved(source: &SourceSettings, error: &RulesError) -> Fault {
    let text = error.to_string();
    let (problem, remedy) = text
        .split_once("; ")
        .unwrap_or((&text, "change the template"));
    Fault::new(
        FaultCode::Contradiction,
        &key(source, "template.url"),
        problem,
        remedy,
    )
}

fn key(source: &SourceSettings, key: &str) -> String {
    format!("source[{}].{key}", source.name)
}

fn query(source: &SourceSettings) -> Option<&str> {
    source.template.as_ref()?.query()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const HASH: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    fn sources(tables: &[&str]) -> Vec<SourceSettings> {
        let tables = tables.iter().enumerate().map(|(index, table)| {
            let hash = format!("{index}{}", &HASH[1..]);
            format!(
                "[[source]]\nnetwork = \"rakuten\"\n{table}\n[[source.key]]\nsha256 = \"{hash}\"\n"
            )
        });
        let text = format!(
            "[kafka]\nbrokers = [\"a:1\"]\n{}",
            tables.collect::<String>()
        );
        postback_common::config::read(Path::new("t.toml"), &text, [])
            .unwrap()
            .sources
    }

    fn template(query: &str) -> String {
        format!(
            "template = [{{ url = \"https://x/postback/canary?is_event=<is_event>&{query}\" }}]"
        )
    }

    fn main_account(query: &str, more: &str) -> String {
        format!(
            "name = \"s{}\"\naccount = \"main\"\n{more}\n{}",
            query.len(),
            template(query)
        )
    }

    fn build(tables: &[&str], fixed: &BTreeMap<AccountName, Fixed>) -> Result<Configured, String> {
        Configured::new(&sources(tables), fixed)
            .map_err(|faults| faults.iter().map(|fault| format!("{fault}\n")).collect())
    }

    fn fixed(identity: Identity, key_day: KeyDayRule) -> BTreeMap<AccountName, Fixed> {
        BTreeMap::from([(
            AccountName::new("main").unwrap(),
            Fixed { identity, key_day },
        )])
    }

    #[test]
    fn the_first_source_of_an_account_decides_for_all() {
        let first = main_account("o=<order_id>", "");
        let second = main_account("etransaction_id=<etransaction_id>&order=<order_id>", "");
        let configured = build(&[&first, &second], &BTreeMap::new()).unwrap();
        let [account] = configured.accounts() else {
            panic!("one account")
        };
        assert_eq!(account.fixed.identity, Identity::Order);
        assert_eq!(account.fixed.key_day, KeyDayRule::Bucket);
        assert_eq!(account.configured, None);
        for source in &configured.recorded {
            assert_eq!(source.identity, Identity::Order);
        }
        assert!(configured.source("nobody").is_none());
    }

    #[test]
    fn what_is_recorded_beats_what_the_template_could_serve() {
        let better = main_account("t=<etransaction_id>&o=<order_id>&d=<transaction_date>", "");
        let recorded = fixed(Identity::Order, KeyDayRule::Bucket);
        let configured = build(&[&better], &recorded).unwrap();
        assert_eq!(
            configured.accounts()[0].fixed,
            recorded.values().next().copied().unwrap()
        );
    }

    #[test]
    fn a_template_that_cannot_serve_its_account_is_refused_with_the_remedy() {
        let weaker = main_account("o=<order_id>", "");
        let recorded = fixed(Identity::TransactionId, KeyDayRule::Date);
        let error = build(&[&weaker], &recorded).unwrap_err();
        assert!(error.contains("source[s12].template.url"), "{error}");
        assert!(
            error.contains("needs etransaction_id=<etransaction_id>")
                && error.contains("remedy: add it to the template"),
            "{error}"
        );
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn contradictions_are_refused() {
        let order = main_account("o=<order_id>", "identity = \"order\"");
        let none = main_account("order=<order_id>", "identity = \"none\"");
        let error = build(&[&order, &none], &BTreeMap::new()).unwrap_err();
        assert!(
            error.contains(
                "source[s16].identity = \"none\": source s12 of the same account says \"order\""
            ),
            "{error}"
        );

        let recorded = fixed(Identity::None, KeyDayRule::Bucket);
        let error = build(&[&order], &recorded).unwrap_err();
        assert!(
            error.contains("source[s12].identity = \"order\""),
            "{error}"
        );
        assert!(error.contains("remedy: write \"none\""), "{error}");
    }

    #[test]
    fn every_fault_of_every_source_is_found_at_once() {
        let unknown =
            "name = \"a\"\ncurrency = \"ZZZ\"\ntemplate = [{ url = \"https://x/canary\" }]";
        let faults = Configured::new(
            &sources(&[unknown, "name = \"b\"\ncurrency = \"QQQ\""]),
            &BTreeMap::new(),
        );
        let faults = faults.unwrap_err();
        let keys: Vec<&str> = faults.iter().map(|fault| &*fault.key).collect();
        assert_eq!(
            keys,
            [
                "source[a].template.url",
                "source[a].currency",
                "source[b].currency"
            ]
        );
        assert!(
            faults
                .iter()
                .all(|fault| !fault.to_string().contains("canary"))
        );
    }
}
