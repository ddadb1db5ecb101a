//! What is known of a network, read from a TOML file: `schemas/networks/NAME.toml`.
//!
//! The files of the repository are compiled in ([`builtin`], [`all`]); any other is read by
//! [`Profile::parse`]. No code knows a network by its name.

mod check;
mod file;
mod macro_style;

use std::sync::{Arc, LazyLock};

use postback_common::name::NetworkName;
use serde::Deserialize;

pub use check::ProfileError;
pub use macro_style::MacroStyle;

use crate::conversion::Status;
use crate::field::Field;

/// The files that are compiled in.
const BUILTIN: &[&str] = &[include_str!("../../../schemas/networks/rakuten.toml")];

// A file that does not parse would be left out here; that each of them does is a test of this page.
static PROFILES: LazyLock<Vec<Arc<Profile>>> = LazyLock::new(|| {
    BUILTIN
        .iter()
        .filter_map(|toml| Profile::parse(toml).ok())
        .map(Arc::new)
        .collect()
});

/// Every network that is compiled in.
#[must_use]
pub fn all() -> &'static [Arc<Profile>] {
    &PROFILES
}

/// The compiled-in network of that name.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static Arc<Profile>> {
    PROFILES
        .iter()
        .find(|profile| profile.network.as_str() == name)
}

/// A network's profile, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// As sources name it in the configuration.
    pub network: NetworkName,
    /// As people call it.
    pub title: String,
    /// How the network sends. A body is read by no method yet.
    pub method: Method,
    /// How its URL templates write a macro.
    pub macro_style: MacroStyle,
    /// Its parameters under their own names, each once.
    pub parameters: Vec<Parameter>,
    /// Names of parameters whose values are masked wherever they would be shown.
    pub secret_params: Vec<String>,
    /// How signals are told from transactions; `None` where everything is a transaction.
    pub signal: Option<SignalValues>,
    /// A conversion's status where the network sends none.
    pub status: StatusRule,
    /// What its conversions are known by.
    pub identity: IdentityRules,
    /// The forms its dates come in, tried in this order.
    pub date_forms: Vec<DateForm>,
    /// As it was written: TOML, comments included.
    pub text: Arc<str>,
}

/// One parameter that the network can send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The network's own name: also the name of its macro.
    pub name: String,
    /// The column it fills; `None`: it is kept in `extra`.
    pub column: Option<Field>,
    /// How well this is known.
    pub confidence: Confidence,
}

/// How well a fact about a network is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Seen in the network's own pages or in a real request.
    #[default]
    Verified,
    /// Known from somebody else's description only.
    ThirdParty,
    /// Not checked against anything.
    Unverified,
}

/// How a network sends its postbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Everything stands in the query.
    Get,
}

impl Method {
    /// As it stands in a raw record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
        }
    }
}

/// The values of the parameter that tells signals from transactions, compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalValues {
    /// An early signal: pays nothing. Not empty; the first one stands in hashes.
    pub signal: Vec<String>,
    /// A transaction. Not empty; the first one stands in hashes.
    pub transaction: Vec<String>,
}

/// A conversion's status where the network sends none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRule {
    /// The usual one.
    pub default: Status,
    /// The one when an amount is negative, where that says something.
    pub negative: Option<Status>,
}

/// What a network's conversions are known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRules {
    /// Values of the recipe `transaction_id`; empty where the network has none.
    pub transaction_id: Vec<Field>,
    /// Values of the recipe `order`; empty where the network has none.
    pub order: Vec<Field>,
    /// Fields that a recipe compares in lower case (ASCII).
    pub ignore_case: Vec<Field>,
    /// The date that never changes for one conversion.
    pub immutable_date: Option<Field>,
    /// The network's own time: of two postbacks with one key, the later counts.
    pub revision_time: Option<Field>,
}

/// A form of date that networks send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateForm {
    /// `Sat Mar 14 2020 18:28:18 GMT+0000 (UTC)`: how JavaScript prints a date.
    Javascript,
    /// `2014-04-30T02:18:36Z`, with an offset, or local to the source's zone; a space may stand for
    /// the `T`; a date alone is its midnight.
    #[serde(rename = "iso_8601")]
    Iso8601,
}

impl Profile {
    /// Reads and checks a profile.
    ///
    /// # Errors
    /// [`ProfileError`] says what is wrong and how to mend it.
    pub fn parse(toml: &str) -> Result<Self, ProfileError> {
        let file = toml::from_str(toml).map_err(|error| ProfileError::Toml(error.to_string()))?;
        check::check(file, toml)
    }

    /// The network's parameter that fills a column.
    #[must_use]
    pub fn parameter_for(&self, column: Field) -> Option<&str> {
        self.parameters
            .iter()
            .find(|p| p.column == Some(column))
            .map(|p| p.name.as_str())
    }

    /// The network's parameter of that name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
    }

    pub(crate) fn is_secret(&self, name: &str) -> bool {
        self.secret_params.iter().any(|secret| secret == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_profile_is_whole() {
        for toml in BUILTIN {
            let profile = Profile::parse(toml).unwrap();
            assert_eq!(
                builtin(profile.network.as_str()).map(|found| &**found),
                Some(&profile)
            );
        }
        assert_eq!(all().len(), BUILTIN.len());
        assert!(builtin("no-such-network").is_none());
    }
}
