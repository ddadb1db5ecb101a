//! The rules of every configured source, checked against each other and against what was fixed
//! when an account was first loaded.

mod faults;
mod templates;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use postback_common::config::{Fault, FaultCode, SourceSettings};
use postback_common::name::{AccountName, SourceName};

use crate::currency::Currency;
use crate::identity::{self, Identity, KeyDayRule};
use crate::mapping::Mapping;
use crate::profile::{self, Profile};
use crate::recorded::{Recorded, RecordedRules, Rules};
use crate::rules::{Registered, SourceDescription, SourceRules};
use crate::template::TemplateNote;
use faults::{
    bad_profile, key, profile_of_another, recorded_otherwise, two_identities, two_networks,
    two_profiles, two_zones, unknown_network, unserved,
};
use templates::recorded;

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
    rules: Rules,
    accounts: Vec<Account>,
    notes: Vec<(SourceName, TemplateNote)>,
    recorded: RecordedRules,
}

impl Configured {
    /// Builds the rules of all sources. `fixed` is what was recorded for accounts when they were
    /// first loaded; empty where that is not known, or nothing was loaded yet.
    ///
    /// An account without a record takes the identity that one of its sources demands, or else the
    /// best that the earliest template of its first source can serve.
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
            rules: Rules::default(),
            accounts: accounts.into_values().collect(),
            notes: Vec::new(),
            recorded: RecordedRules::default(),
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
        let notes = source.templates.iter();
        let notes = notes.flat_map(|registered| registered.template.notes().iter().cloned());
        self.notes
            .extend(notes.map(|note| (settings.name.clone(), note)));
        let rules = SourceRules::new(SourceDescription {
            source: settings.name.clone(),
            account: settings.account.clone(),
            profile: source.profile,
            currency: source.currency,
            zone: settings.time_zone.clone(),
            publisher_id: settings.publisher_id.clone(),
            templates: source.templates,
            identity: fixed.map(|fixed| fixed.identity),
            key_day_rule: fixed.map(|fixed| fixed.key_day),
        });
        let rules = rules.map_err(|error| unserved(settings, &error))?;
        self.recorded.sources.push(Recorded {
            source: settings.name.clone(),
            network: rules.profile().network.clone(),
            account: settings.account.clone(),
            identity: rules.identity(),
            key_day: rules.key_day_rule(),
            currency: settings.currency.clone(),
            time_zone: (settings.time_zone.as_ref())
                .and_then(TimeZone::iana_name)
                .map(str::to_owned),
            publisher_id: settings.publisher_id.clone(),
            templates: recorded(settings),
            aliases: settings.aliases.clone(),
            profile: Some(rules.profile().text.to_string()),
        });
        self.rules.add(rules, &settings.aliases);
        Ok(())
    }

    /// The rules of a source; `None` where the configuration has no such source.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Arc<SourceRules>> {
        self.rules.source(name)
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

    /// The rules of all sources.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What a generation records of these rules.
    #[must_use]
    pub fn recorded(&self) -> &RecordedRules {
        &self.recorded
    }
}

/// A source by itself, before its account is looked at.
struct Parsed<'a> {
    settings: &'a SourceSettings,
    profile: Arc<Profile>,
    currency: Option<Currency>,
    templates: Vec<Registered>,
}

impl<'a> Parsed<'a> {
    fn of(settings: &'a SourceSettings) -> Result<Self, Vec<Fault>> {
        let profile = profile_of(settings)?;
        let mut faults = Vec::new();
        let templates = templates::read(settings, &profile, &mut faults);
        match currency(settings).transpose() {
            Ok(currency) if faults.is_empty() => Ok(Self {
                settings,
                profile,
                currency,
                templates,
            }),
            currency => Err(faults.into_iter().chain(currency.err()).collect()),
        }
    }

    /// Where a date without an offset is local.
    fn zone(&self) -> &TimeZone {
        let own = self.settings.time_zone.as_ref();
        own.unwrap_or(&self.profile.dates.zone)
    }

    fn best(&self) -> Fixed {
        let own_names;
        // Of those of one time the first in the file, as requests are read.
        let first = self.templates.iter().min_by_key(|known| known.valid_from);
        let mapping = match first {
            Some(first) => first.template.mapping(),
            None => {
                own_names = Mapping::of_profile(&self.profile);
                &own_names
            }
        };
        Fixed {
            identity: identity::best_of(&self.profile, mapping),
            key_day: KeyDayRule::best_of(&self.profile, mapping),
        }
    }
}

/// The source's own, or that of its network.
fn profile_of(settings: &SourceSettings) -> Result<Arc<Profile>, Vec<Fault>> {
    let Some(own) = &settings.profile else {
        let builtin = profile::builtin(settings.network.as_str());
        return builtin
            .cloned()
            .ok_or_else(|| vec![unknown_network(settings)]);
    };
    let profile = Profile::parse(&own.text).map_err(|errors| {
        errors
            .iter()
            .map(|error| bad_profile(settings, error))
            .collect::<Vec<_>>()
    })?;
    if profile.network != settings.network {
        return Err(vec![profile_of_another(settings, &profile.network)]);
    }
    Ok(Arc::new(profile))
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
        } else if first.profile.text != source.profile.text {
            faults.push(two_profiles(source.settings, first.settings));
        }
        if first.zone() != source.zone() {
            faults.push(two_zones(source, first));
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

#[cfg(test)]
mod tests;
