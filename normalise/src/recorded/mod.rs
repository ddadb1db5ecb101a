//! Rules as a generation records them: whole, so that it is loaded by them for good, whatever the
//! files of a machine say by then.

mod difference;
mod keys;
mod rules;

use std::sync::Arc;

use jiff::Timestamp;
use postback_common::name::{AccountName, NetworkName, SourceName};
use postback_common::zone;
use serde::{Deserialize, Deserializer, Serialize};

use crate::currency::Currency;
use crate::identity::{Identity, KeyDayRule};
use crate::profile::{self, Profile};
use crate::rules::{Registered, SourceDescription, SourceRules};
use crate::template::{Template, TemplateError};

pub use difference::Difference;
pub use rules::{RecordedRules, Rules};

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
    /// The URLs as registered; none: the network's own parameter names hold.
    #[serde(
        default,
        alias = "template_query",
        deserialize_with = "RecordedTemplate::list"
    )]
    pub templates: Vec<RecordedTemplate>,
    /// Names that the source had before.
    #[serde(default)]
    pub aliases: Vec<SourceName>,
    /// The network's profile as it was written (TOML). `None` in records of an early version: the
    /// profile that is compiled in.
    #[serde(default)]
    pub profile: Option<String>,
}

/// A URL as registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedTemplate {
    /// What is received from then on is read by it; `None`: from the beginning.
    pub valid_from: Option<Timestamp>,
    /// What stands behind its `?`.
    pub query: String,
}

impl RecordedTemplate {
    /// Early versions wrote the query of the only template, or nothing.
    fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Self>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            List(Vec<RecordedTemplate>),
            Query(String),
        }
        let written = Option::<Written>::deserialize(deserializer)?;
        Ok(match written {
            None => Vec::new(),
            Some(Written::List(list)) => list,
            Some(Written::Query(query)) => vec![Self {
                valid_from: None,
                query,
            }],
        })
    }

    /// What it is, by the network's profile.
    ///
    /// # Errors
    /// As [`Template::of_query`].
    pub(crate) fn registered(&self, profile: &Profile) -> Result<Registered, TemplateError> {
        Ok(Registered {
            valid_from: self.valid_from,
            template: Template::of_query(&self.query, profile)?,
        })
    }
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
        /// What is not understood: `profile`, `template`, …
        part: &'static str,
        /// Why.
        problem: String,
    },
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
        let templates = self.templates.iter();
        let templates = templates.map(|template| template.registered(&profile));
        let templates = templates
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.unreadable("template", &error.to_string()))?;
        let currency = self.currency.as_ref();
        let currency: Option<Currency> = currency
            .map(|code| code.parse())
            .transpose()
            .map_err(|_| self.unreadable("currency", "no currency of ISO 4217"))?;
        let zone = self.time_zone.as_deref().map(zone::named).transpose();
        let zone = zone.map_err(|error| self.unreadable("time_zone", &error.to_string()))?;
        SourceRules::new(SourceDescription {
            source: self.source.clone(),
            account: self.account.clone(),
            profile,
            currency,
            zone,
            publisher_id: self.publisher_id.clone(),
            templates,
            identity: Some(self.identity),
            key_day_rule: Some(self.key_day),
        })
        .map_err(|error| self.unreadable("identity", &error.to_string()))
    }

    /// These rules with every template of `proposed` that names itself by a marker which none of
    /// these has: no request that came before can have meant it. `None` where there is none, or
    /// where one cannot serve what these rules are.
    ///
    /// Where each template has a marker, other requests go by `valid_from`. A new one is taken with a
    /// `valid_from` by which none of them comes to be read by it: that it is another than the proposed
    /// one stays a difference, and waits like any changed rule.
    #[must_use]
    pub fn with_new_templates(&self, proposed: &Self) -> Option<Self> {
        let profile = self.profile().ok()?;
        let marker = |template: &RecordedTemplate| {
            let registered = template.registered(&profile).ok()?;
            registered.template.marker().map(str::to_owned)
        };
        let known: Vec<_> = self.templates.iter().map(marker).collect();
        let is_new = |template: &&RecordedTemplate| {
            let marker = marker(template);
            marker.is_some() && !known.contains(&marker)
        };
        // Without a template the network's own names hold, and a first one would end that.
        let new = proposed.templates.iter().filter(is_new);
        let new: Vec<_> = new.filter(|_| !known.is_empty()).cloned().collect();
        if new.is_empty() {
            return None;
        }
        let mut merged = self.clone();
        let is_by_time = known.iter().all(Option::is_some);
        for mut template in new {
            if is_by_time {
                template.valid_from = self.unobtrusive(template.valid_from);
            }
            merged.templates.push(template);
        }
        merged.rules().is_ok().then_some(merged)
    }

    /// The given `valid_from` if a template of these rules has the same: of those of one time the first
    /// is taken. Otherwise the first of all, which the first template has.
    fn unobtrusive(&self, valid_from: Option<Timestamp>) -> Option<Timestamp> {
        let times = || self.templates.iter().map(|template| template.valid_from);
        if times().any(|time| time == valid_from) {
            return valid_from;
        }
        times().min().flatten()
    }

    fn profile(&self) -> Result<Arc<Profile>, RecordedError> {
        match &self.profile {
            Some(toml) => Profile::parse_recorded(toml)
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
}

#[cfg(test)]
mod tests;
