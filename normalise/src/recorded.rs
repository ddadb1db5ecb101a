//! Rules as a generation records them: whole, so that it is loaded by them for good, whatever the
//! files of a machine say by then.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use postback_common::name::{AccountName, NetworkName, SourceName};
use serde::{Deserialize, Serialize};

use crate::configured::Fixed;
use crate::currency::Currency;
use crate::identity::{Identity, KeyDayRule};
use crate::profile::{self, Profile};
use crate::rules::{SourceDescription, SourceRules};
use crate::template::Template;

/// One source's rules, to be written as JSON. Of its registered URL there is the query alone: the
/// path holds the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The source.
    pub source: SourceName,
    /// Its network.
    pub network: NetworkName,
    /// Whose conversions these are.
    pub account: AccountName,
    /// The account's identity.
    pub identity: Identity,
    /// The account's rule for `key_day`.
    pub key_day: KeyDayRule,
    /// ISO 4217 code that is taken where a postback has none.
    pub currency: Option<String>,
    /// IANA name of the zone in which a date without an offset is local; `None`: where the profile
    /// says.
    pub time_zone: Option<String>,
    /// The account's own id at the network.
    #[serde(default)]
    pub publisher_id: Option<String>,
    /// Query of the URL as registered; `None`: the network's own parameter names hold.
    pub template_query: Option<String>,
    /// The network's profile as it was written (TOML). `None` in records of an early version: the
    /// profile that is compiled in.
    #[serde(default)]
    pub profile: Option<String>,
}

/// Why recorded rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordedError {
    /// They were written by another version, or by hand.
    #[error(
        "the recorded rules are not readable: {0}; use the version of Postback that recorded them"
    )]
    Json(String),
    /// One part of a source's rules is not understood.
    #[error(
        "source {origin}: its recorded {part} is not readable: {problem}; use the version of Postback that recorded it"
    )]
    Part {
        /// The source.
        origin: SourceName,
        /// What is not understood: `profile`, `template_query`, …
        part: &'static str,
        /// Why.
        problem: String,
    },
}

/// What differs between two records of one source's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// Another network.
    Network,
    /// Another account.
    Account,
    /// Another identity.
    Identity,
    /// Another rule for `key_day`.
    KeyDay,
    /// The network's profile makes keys or their days of something else.
    KeyRecipe,
    /// Another zone, which is part of the days of dates without an offset.
    TimeZone,
    /// The network's profile, in something that no key is made of.
    Profile,
    /// Another default currency.
    Currency,
    /// Another id of the account at the network.
    PublisherId,
    /// The URL as registered.
    Template,
}

impl Difference {
    /// Machine-readable tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Account => "account",
            Self::Identity => "identity",
            Self::KeyDay => "key_day",
            Self::KeyRecipe => "key_recipe",
            Self::TimeZone => "time_zone",
            Self::Profile => "profile",
            Self::Currency => "currency",
            Self::PublisherId => "publisher_id",
            Self::Template => "template",
        }
    }

    /// A conversion that was loaded before could get another key or another day after: it would
    /// count twice within one generation.
    #[must_use]
    pub const fn moves_conversions(self) -> bool {
        match self {
            Self::Network
            | Self::Account
            | Self::Identity
            | Self::KeyDay
            | Self::KeyRecipe
            | Self::TimeZone => true,
            Self::Profile | Self::Currency | Self::PublisherId | Self::Template => false,
        }
    }
}

impl Recorded {
    /// As it stands in the table of later rules.
    ///
    /// # Errors
    /// None in practice: there is nothing in it that JSON has no form for.
    pub fn to_json(&self) -> Result<String, RecordedError> {
        serde_json::to_string(self).map_err(|error| RecordedError::Json(error.to_string()))
    }

    /// Reads what stands in the table of later rules.
    ///
    /// # Errors
    /// [`RecordedError::Json`].
    pub fn from_json(json: &str) -> Result<Self, RecordedError> {
        serde_json::from_str(json).map_err(|error| RecordedError::Json(error.to_string()))
    }

    /// The rules in force.
    ///
    /// # Errors
    /// [`RecordedError::Part`] names what this version does not understand.
    pub fn rules(&self) -> Result<SourceRules, RecordedError> {
        let profile = self.profile()?;
        let template = self.template_query.as_ref();
        let template = template
            .map(|query| Template::of_query(query, &profile))
            .transpose()
            .map_err(|error| self.unreadable("template_query", &error.to_string()))?;
        let currency = self.currency.as_ref();
        let currency: Option<Currency> = currency
            .map(|code| code.parse())
            .transpose()
            .map_err(|_| self.unreadable("currency", "no currency of ISO 4217"))?;
        let zone = self.time_zone.as_deref().map(TimeZone::get).transpose();
        let zone = zone.map_err(|error| self.unreadable("time_zone", &error.to_string()))?;
        SourceRules::new(SourceDescription {
            source: self.source.clone(),
            account: self.account.clone(),
            profile,
            currency,
            zone,
            publisher_id: self.publisher_id.clone(),
            template,
            identity: Some(self.identity),
            key_day_rule: Some(self.key_day),
        })
        .map_err(|error| self.unreadable("identity", &error.to_string()))
    }

    fn profile(&self) -> Result<Arc<Profile>, RecordedError> {
        match &self.profile {
            Some(toml) => Profile::parse(toml)
                .map(Arc::new)
                .map_err(|error| self.unreadable("profile", &error.to_string())),
            None => profile::builtin(self.network.as_str())
                .cloned()
                .ok_or_else(|| {
                    self.unreadable("network", "no profile of this name is compiled in")
                }),
        }
    }

    fn unreadable(&self, part: &'static str, problem: &str) -> RecordedError {
        RecordedError::Part {
            origin: self.source.clone(),
            part,
            problem: problem.to_owned(),
        }
    }

    /// What differs between these rules and `other` ones of the same source; empty where nothing
    /// does. A profile that cannot be read differs in everything.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut differs = |is_other: bool, what: Difference| {
            if is_other {
                found.push(what);
            }
        };
        differs(self.network != other.network, Difference::Network);
        differs(self.account != other.account, Difference::Account);
        differs(self.identity != other.identity, Difference::Identity);
        differs(self.key_day != other.key_day, Difference::KeyDay);
        differs(self.currency != other.currency, Difference::Currency);
        differs(
            self.publisher_id != other.publisher_id,
            Difference::PublisherId,
        );
        differs(
            self.template_query != other.template_query,
            Difference::Template,
        );
        match (self.profile(), other.profile()) {
            (Ok(mine), Ok(others)) => {
                differs(
                    self.zone(&mine) != other.zone(&others),
                    Difference::TimeZone,
                );
                let keys = makes_same_keys(&mine, &others);
                differs(!keys, Difference::KeyRecipe);
                differs(
                    keys && mine.text != others.text && !is_same(&mine, &others),
                    Difference::Profile,
                );
            }
            _ => differs(self.profile != other.profile, Difference::KeyRecipe),
        }
        found
    }

    fn zone<'r>(&'r self, profile: &'r Profile) -> &'r str {
        let of_profile = || profile.dates.zone.iana_name().unwrap_or("UTC");
        self.time_zone.as_deref().unwrap_or_else(of_profile)
    }
}

/// Everything of a profile that a key, a `key_day` or a revision is made of.
fn makes_same_keys(one: &Profile, other: &Profile) -> bool {
    one.identity == other.identity
        && one.signal == other.signal
        && one.dates.forms == other.dates.forms
        && one.amounts == other.amounts
        && one.macro_style == other.macro_style
}

/// The same but for comments and layout.
fn is_same(one: &Profile, other: &Profile) -> bool {
    let without_text = |profile: &Profile| Profile {
        text: Arc::from(""),
        ..profile.clone()
    };
    without_text(one) == without_text(other)
}

/// All sources' rules, as one generation records them when it is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedRules {
    /// Each source once.
    pub sources: Vec<Recorded>,
}

impl RecordedRules {
    /// As it stands in the table.
    ///
    /// # Errors
    /// None in practice: there is nothing in it that JSON has no form for.
    pub fn to_json(&self) -> Result<String, RecordedError> {
        serde_json::to_string(self).map_err(|error| RecordedError::Json(error.to_string()))
    }

    /// What holds after later changes: `made` as it stands in the table, then each change's JSON, with
    /// true for one that was accepted in place of older rules.
    ///
    /// # Errors
    /// [`RecordedError::Json`].
    pub fn with_later<'a>(
        made: &str,
        later: impl IntoIterator<Item = (bool, &'a str)>,
    ) -> Result<Self, RecordedError> {
        let mut rules = Self::from_json(made)?;
        for (is_accepted, json) in later {
            let rule = Recorded::from_json(json)?;
            if is_accepted {
                rules.accept(rule);
            } else {
                rules.add(rule);
            }
        }
        Ok(rules)
    }

    /// A source that is new; one that is there already keeps its rules.
    pub fn add(&mut self, rules: Recorded) {
        if self.of(&rules.source).is_none() {
            self.sources.push(rules);
        }
    }

    /// Changed rules of a source take the place of its old ones.
    pub fn accept(&mut self, rules: Recorded) {
        self.sources.retain(|known| known.source != rules.source);
        self.sources.push(rules);
    }

    /// One source's rules.
    #[must_use]
    pub fn of(&self, source: &SourceName) -> Option<&Recorded> {
        self.sources.iter().find(|known| known.source == *source)
    }

    /// What is fixed for each account.
    #[must_use]
    pub fn fixed(&self) -> BTreeMap<AccountName, Fixed> {
        let fixed = self.sources.iter().rev().map(|rules| {
            let fixed = Fixed {
                identity: rules.identity,
                key_day: rules.key_day,
            };
            (rules.account.clone(), fixed)
        });
        fixed.collect()
    }

    /// Reads what stands in the table.
    ///
    /// # Errors
    /// [`RecordedError::Json`].
    pub fn from_json(json: &str) -> Result<Self, RecordedError> {
        /// An early version of the CLI wrote the list alone.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Whole(RecordedRules),
            List(Vec<Recorded>),
        }
        match serde_json::from_str(json) {
            Ok(Form::Whole(rules)) => Ok(rules),
            Ok(Form::List(sources)) => Ok(Self { sources }),
            Err(error) => Err(RecordedError::Json(error.to_string())),
        }
    }
}

/// The rules by which a generation is loaded.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    sources: BTreeMap<SourceName, Arc<SourceRules>>,
}

impl Rules {
    /// The rules in force of each record. Of two records of one source the later one holds.
    ///
    /// # Errors
    /// [`RecordedError`] of the first one that this version does not understand.
    pub fn of<'a>(recorded: impl IntoIterator<Item = &'a Recorded>) -> Result<Self, RecordedError> {
        let rules = recorded.into_iter().map(|recorded| {
            let rules = Arc::new(recorded.rules()?);
            Ok((recorded.source.clone(), rules))
        });
        Ok(Self {
            sources: rules.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn add(&mut self, rules: SourceRules) {
        self.sources.insert(rules.source.clone(), Arc::new(rules));
    }

    /// The rules of a source; `None` where there is no such source.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Arc<SourceRules>> {
        self.sources.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> Recorded {
        Recorded {
            source: SourceName::new("us").unwrap(),
            network: NetworkName::new("rakuten").unwrap(),
            account: AccountName::new("main").unwrap(),
            identity: Identity::TransactionId,
            key_day: KeyDayRule::Date,
            currency: Some("USD".to_owned()),
            time_zone: Some("America/New_York".to_owned()),
            publisher_id: None,
            template_query: Some(
                "t=<etransaction_id>&d=<transaction_date>&is_event=<is_event>".to_owned(),
            ),
            profile: Some(profile::builtin("rakuten").unwrap().text.to_string()),
        }
    }

    #[test]
    fn rules_come_back_from_json_as_they_were() {
        let before = RecordedRules {
            sources: vec![recorded()],
        };
        let after = RecordedRules::from_json(&before.to_json().unwrap()).unwrap();
        assert_eq!(before, after);
        let rules = Rules::of(&after.sources).unwrap();
        let us = rules.source("us").unwrap();
        assert_eq!(us.identity(), Identity::TransactionId);
        assert_eq!(us.account().as_str(), "main");
        assert!(rules.source("eu").is_none());
    }

    #[test]
    fn the_first_that_is_added_counts_and_the_last_that_is_accepted() {
        let with = |currency: &str| Recorded {
            currency: Some(currency.to_owned()),
            ..recorded()
        };
        let of = |made: &[Recorded], later: &[(bool, &str)]| {
            let sources = made.to_vec();
            let made = RecordedRules { sources }.to_json().unwrap();
            let later: Vec<_> = (later.iter())
                .map(|(is_accepted, currency)| (*is_accepted, with(currency).to_json().unwrap()))
                .collect();
            let later = later
                .iter()
                .map(|(is_accepted, json)| (*is_accepted, &**json));
            let rules = RecordedRules::with_later(&made, later).unwrap();
            assert_eq!(rules.sources.len(), 1);
            rules.sources[0].currency.clone().unwrap()
        };
        let added = [(false, "USD"), (false, "EUR")];
        assert_eq!(of(&[], &added), "USD");
        assert_eq!(
            of(&[with("GBP")], &added),
            "GBP",
            "it was there from the beginning"
        );
        let accepted = [(true, "JPY"), (false, "USD"), (true, "CHF")];
        assert_eq!(of(&[with("GBP")], &accepted), "CHF");
        assert_eq!(of(&[with("GBP")], &accepted[..2]), "JPY");
    }

    #[test]
    fn records_of_early_versions_are_read() {
        let mut early = recorded();
        early.profile = None;
        let list = serde_json::to_string(&[&early])
            .unwrap()
            .replace(",\"profile\":null", "");
        let rules = RecordedRules::from_json(&list).unwrap();
        assert_eq!(rules.sources, [early.clone()]);
        assert!(early.rules().is_ok());
        assert_eq!(
            early.differences(&recorded()),
            [],
            "the compiled-in profile is the recorded one"
        );
    }

    fn rewrite(rules: &mut Recorded, from: &str, to: &str) {
        let profile = rules.profile.as_mut().unwrap();
        assert!(profile.contains(from), "{from}");
        *profile = profile.replacen(from, to, 1);
    }

    #[test]
    fn each_difference_is_named_and_those_that_move_conversions_are_told_apart() {
        type Change = fn(&mut Recorded);
        let cases: [(Change, Difference, bool); 8] = [
            (
                |r| r.account = AccountName::new("other").unwrap(),
                Difference::Account,
                true,
            ),
            (|r| r.identity = Identity::Order, Difference::Identity, true),
            (|r| r.key_day = KeyDayRule::Bucket, Difference::KeyDay, true),
            (|r| r.time_zone = None, Difference::TimeZone, true),
            (|r| r.currency = None, Difference::Currency, false),
            (|r| r.template_query = None, Difference::Template, false),
            (
                |r| rewrite(r, "signal = [\"Y\"]", "signal = [\"YES\"]"),
                Difference::KeyRecipe,
                true,
            ),
            (
                |r| rewrite(r, "title = \"", "title = \"New "),
                Difference::Profile,
                false,
            ),
        ];
        for (change, expected, moves) in cases {
            let mut changed = recorded();
            change(&mut changed);
            assert_ne!(changed, recorded(), "{expected:?}");
            assert_eq!(recorded().differences(&changed), [expected]);
            assert_eq!(expected.moves_conversions(), moves, "{expected:?}");
        }
        let mut commented = recorded();
        commented.profile = commented.profile.map(|p| format!("# a comment\n{p}"));
        assert_eq!(recorded().differences(&commented), []);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let mut later = recorded();
        later.profile = Some("network = 3".to_owned());
        let error = later.rules().unwrap_err().to_string();
        assert!(error.contains("source us: its recorded profile"), "{error}");
        assert!(matches!(
            RecordedRules::from_json("{}"),
            Err(RecordedError::Json(_))
        ));
    }
}
