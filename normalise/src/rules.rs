//! Everything that turns one source's records into conversions.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_common::config::Identity;
use postback_common::name::{AccountName, SourceName};

use crate::currency::Currency;
use crate::field::Field;
use crate::identity::{self, KeyDayRule};
use crate::mapping::Mapping;
use crate::profile::Profile;
use crate::readings::{Reading, Readings};
use crate::template::Template;

/// What a source's rules are made of; [`SourceRules::new`] checks that it fits together.
#[derive(Debug, Clone)]
pub struct SourceDescription {
    /// The source's name, as rows show it.
    pub source: SourceName,
    /// Whose conversions these are.
    pub account: AccountName,
    /// The network.
    pub profile: Arc<Profile>,
    /// Taken where a postback has none.
    pub currency: Option<Currency>,
    /// Where a date without an offset is local; `None`: where the network's profile says.
    pub zone: Option<TimeZone>,
    /// The account's own id at the network: a postback with another one is flagged.
    pub publisher_id: Option<String>,
    /// The URLs as registered; none: the network's own parameter names hold.
    pub templates: Vec<Registered>,
    /// The account's identity; `None`: the best that the earliest template can serve.
    pub identity: Option<Identity>,
    /// The account's rule for `key_day`; `None`: the best that the earliest template can serve.
    pub key_day_rule: Option<KeyDayRule>,
}

/// A template, and since when its URL is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// What is received from then on is read by it; `None`: from the beginning.
    pub valid_from: Option<Timestamp>,
    /// The URL.
    pub template: Template,
}

impl From<Template> for Registered {
    fn from(template: Template) -> Self {
        Self {
            valid_from: None,
            template,
        }
    }
}

/// One source's rules, ready for use and consistent.
#[derive(Debug, Clone)]
pub struct SourceRules {
    pub(crate) source: SourceName,
    pub(crate) account: AccountName,
    pub(crate) profile: Arc<Profile>,
    pub(crate) currency: Option<Currency>,
    pub(crate) zone: TimeZone,
    pub(crate) publisher_id: Option<String>,
    pub(crate) readings: Readings,
    /// What the network's API says is under its own names, whatever the template.
    pub(crate) pulled: Mapping,
    pub(crate) identity: Identity,
    pub(crate) key_day_rule: KeyDayRule,
}

/// Why a source's postbacks could not be read by its account's rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// The account's identity needs what the template does not carry.
    #[error(
        "source {origin}: identity {identity} of account {account} needs {lacking}, which the template does not carry; \
         add it to the template here and at the network, or give the source an account of its own"
    )]
    IdentityNotServed {
        /// The source.
        origin: SourceName,
        /// Its account.
        account: AccountName,
        /// The account's identity.
        identity: Identity,
        /// What to add, such as `etransaction_id=<etransaction_id>`.
        lacking: String,
    },
    /// The account files its conversions under a date that the template does not carry.
    #[error(
        "source {origin}: account {account} files its conversions by {lacking}, which the template does not carry; \
         add it to the template here and at the network, or give the source an account of its own"
    )]
    KeyDayNotServed {
        /// The source.
        origin: SourceName,
        /// Its account.
        account: AccountName,
        /// What to add, such as `transaction_date=<transaction_date>`.
        lacking: String,
    },
}

impl RulesError {
    /// Machine-readable tag.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::IdentityNotServed { .. } => "identity_not_served",
            Self::KeyDayNotServed { .. } => "key_day_not_served",
        }
    }
}

impl SourceRules {
    /// Checks that the template can serve the account's identity and its rule for `key_day`.
    ///
    /// # Errors
    /// [`RulesError`] names what the template lacks.
    pub fn new(description: SourceDescription) -> Result<Self, RulesError> {
        let SourceDescription {
            source,
            account,
            profile,
            currency,
            zone,
            publisher_id,
            templates,
            identity,
            key_day_rule,
        } = description;
        let readings = Readings::new(&templates, &profile);
        let first = &readings.all()[0].mapping;
        let identity = identity.unwrap_or_else(|| identity::best_of(&profile, first));
        let key_day_rule = key_day_rule.unwrap_or_else(|| KeyDayRule::best_of(&profile, first));
        let lacking = readings.all().iter().find_map(|reading| {
            let lacking = identity::lacking(identity, &profile, &reading.mapping);
            (!lacking.is_empty()).then_some(lacking)
        });
        if let Some(lacking) = lacking {
            let lacking = lacking
                .into_iter()
                .map(|field| as_template(field, &profile))
                .collect::<Vec<_>>()
                .join("&");
            return Err(RulesError::IdentityNotServed {
                origin: source,
                account,
                identity,
                lacking,
            });
        }
        let serves = |reading: &Reading| key_day_rule.can_be_served(&profile, &reading.mapping);
        if !readings.all().iter().all(serves) {
            let date = profile.identity.immutable_date;
            let lacking = date.map_or_else(
                || "a date that never changes".to_owned(),
                |field| as_template(field, &profile),
            );
            return Err(RulesError::KeyDayNotServed {
                origin: source,
                account,
                lacking,
            });
        }
        Ok(Self {
            pulled: Mapping::of_profile(&profile),
            source,
            account,
            zone: zone.unwrap_or_else(|| profile.dates.zone.clone()),
            profile,
            currency,
            publisher_id,
            readings,
            identity,
            key_day_rule,
        })
    }

    /// The source's name.
    #[must_use]
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// Whose conversions these are.
    #[must_use]
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// The network's profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Where a date without an offset is local.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// What parameters mean, under each template, the oldest first; at least one.
    #[must_use]
    pub fn readings(&self) -> &[Reading] {
        self.readings.all()
    }

    /// True when the value of a parameter, named as sent, must not be shown.
    #[must_use]
    pub fn is_secret(&self, parameter: &str) -> bool {
        let mut readings = self.readings().iter();
        readings.any(|reading| reading.mapping.is_secret(parameter))
            || self.pulled.is_secret(parameter)
    }

    /// The account's identity.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The account's rule for `key_day`.
    #[must_use]
    pub fn key_day_rule(&self) -> KeyDayRule {
        self.key_day_rule
    }
}

/// `etransaction_id=<etransaction_id>`: what a template lacks, ready to be added.
fn as_template(field: Field, profile: &Profile) -> String {
    match profile.parameter_for(field) {
        Some(name) => format!("{name}={}", profile.macro_style.write(name)),
        None => format!("{field} (which {} does not send)", profile.title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;

    fn rules(
        query: &str,
        identity: Option<Identity>,
        key_day_rule: Option<KeyDayRule>,
    ) -> Result<SourceRules, RulesError> {
        let profile = profile::builtin("rakuten").unwrap();
        SourceRules::new(SourceDescription {
            source: SourceName::new("us").unwrap(),
            account: AccountName::new("main").unwrap(),
            profile: Arc::clone(profile),
            currency: None,
            zone: None,
            publisher_id: None,
            templates: vec![Template::of_query(query, profile).unwrap().into()],
            identity,
            key_day_rule,
        })
    }

    #[test]
    fn what_the_account_needs_and_the_template_lacks_is_named() {
        let query = "order=<order_id>&is_event=<is_event>";
        let best = rules(query, None, None).unwrap();
        assert_eq!(
            (best.identity(), best.key_day_rule()),
            (Identity::Order, KeyDayRule::Bucket)
        );

        let error = rules(query, Some(Identity::TransactionId), None).unwrap_err();
        assert_eq!(error.as_str(), "identity_not_served");
        assert!(
            error.to_string().contains(
                "transaction_id of account main needs etransaction_id=<etransaction_id>,"
            ),
            "{error}"
        );

        let error = rules(query, None, Some(KeyDayRule::Date)).unwrap_err();
        assert_eq!(error.as_str(), "key_day_not_served");
        assert!(
            error
                .to_string()
                .contains("by transaction_date=<transaction_date>,"),
            "{error}"
        );
    }

    #[test]
    fn a_weaker_rule_than_the_template_could_serve_is_obeyed() {
        let query = "t=<etransaction_id>&d=<transaction_date>&is_event=<is_event>";
        let rules = rules(query, Some(Identity::None), Some(KeyDayRule::Bucket)).unwrap();
        assert_eq!(
            (rules.identity(), rules.key_day_rule()),
            (Identity::None, KeyDayRule::Bucket)
        );
    }
}
