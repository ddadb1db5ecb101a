//! What makes two postbacks of an account one conversion, and which day it is filed under.
//!
//! Both are fixed for an account when its first rows are made: under another rule the same
//! conversion would have another key, or stand under another day, and count twice.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use postback_common::config::Identity;

use crate::field::Field;
use crate::mapping::Mapping;
use crate::profile::Profile;

/// The values of a recipe's hash, in their order; empty for `none`, and where the network has no
/// such recipe.
#[must_use]
pub fn recipe(identity: Identity, profile: &Profile) -> &[Field] {
    match identity {
        Identity::TransactionId => &profile.identity.transaction_id,
        Identity::Order => &profile.identity.order,
        Identity::None => &[],
    }
}

/// What a recipe needs and the mapping does not carry; empty when it can be served.
///
/// `transaction_id` needs all of its values, `order` its order id and, where the network has one,
/// its signal field: two lines of one order differ in something else, or cannot be told apart.
/// A network without the recipe lacks what the recipe is named after.
#[must_use]
pub fn lacking(identity: Identity, profile: &Profile, mapping: &Mapping) -> Vec<Field> {
    let recipe = recipe(identity, profile);
    match named_after(identity) {
        Some(field) if recipe.is_empty() => vec![field],
        _ => recipe
            .iter()
            .filter(|field| needs(identity, **field) && !mapping.carries(**field))
            .copied()
            .collect(),
    }
}

/// True for a field of the identity's recipe without which there is no key.
pub(crate) const fn needs(identity: Identity, field: Field) -> bool {
    match identity {
        Identity::TransactionId => true,
        Identity::Order => matches!(field, Field::OrderId | Field::Signal),
        Identity::None => false,
    }
}

/// True when postbacks of this mapping can carry what the recipe needs.
#[must_use]
pub fn can_serve(identity: Identity, profile: &Profile, mapping: &Mapping) -> bool {
    lacking(identity, profile, mapping).is_empty()
}

/// The best recipe that postbacks of this mapping can serve.
#[must_use]
pub fn best_of(profile: &Profile, mapping: &Mapping) -> Identity {
    let best = Identity::ALL
        .into_iter()
        .find(|identity| can_serve(*identity, profile, mapping));
    best.unwrap_or(Identity::None)
}

/// The one value without which a recipe gives no key.
pub(crate) const fn named_after(identity: Identity) -> Option<Field> {
    match identity {
        Identity::TransactionId => Some(Field::TransactionId),
        Identity::Order => Some(Field::OrderId),
        Identity::None => None,
    }
}

/// Where an account's conversions get their `key_day` from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyDayRule {
    /// The UTC day of the network's immutable date.
    Date,
    /// One of 16 days from 1970-01-01 on, by the key's hash.
    Bucket,
}

/// The text is no rule for `key_day`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no rule for key_day; write date or bucket")]
pub struct UnknownKeyDayRule;

impl KeyDayRule {
    /// As it stands in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Bucket => "bucket",
        }
    }

    /// True when postbacks of this mapping can carry what the rule needs.
    #[must_use]
    pub fn can_be_served(self, profile: &Profile, mapping: &Mapping) -> bool {
        self == Self::Bucket
            || profile
                .identity
                .immutable_date
                .is_some_and(|date| mapping.carries(date))
    }

    /// [`KeyDayRule::Date`] where postbacks of this mapping carry the immutable date.
    #[must_use]
    pub fn best_of(profile: &Profile, mapping: &Mapping) -> Self {
        if Self::Date.can_be_served(profile, mapping) {
            Self::Date
        } else {
            Self::Bucket
        }
    }
}

impl FromStr for KeyDayRule {
    type Err = UnknownKeyDayRule;

    fn from_str(text: &str) -> Result<Self, UnknownKeyDayRule> {
        [Self::Date, Self::Bucket]
            .into_iter()
            .find(|rule| rule.as_str() == text)
            .ok_or(UnknownKeyDayRule)
    }
}

impl fmt::Display for KeyDayRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;
    use crate::template::Template;

    #[test]
    fn the_best_is_what_the_template_can_serve() {
        let profile = profile::builtin("rakuten").unwrap();
        let cases = [
            (
                "etransaction_id=<etransaction_id>&order_id=<order_id>",
                Identity::TransactionId,
                KeyDayRule::Bucket,
            ),
            (
                "o=<order_id>&d=<transaction_date>",
                Identity::Order,
                KeyDayRule::Date,
            ),
            (
                "sku=<sku_number>&p=<process_date>",
                Identity::None,
                KeyDayRule::Bucket,
            ),
        ];
        for (query, identity, rule) in cases {
            let template =
                Template::of_query(&format!("{query}&is_event=<is_event>"), profile).unwrap();
            let mapping = template.mapping();
            assert_eq!(
                (
                    best_of(profile, mapping),
                    KeyDayRule::best_of(profile, mapping)
                ),
                (identity, rule),
                "{query}"
            );
            assert!(can_serve(Identity::None, profile, mapping));
        }
        let own = Mapping::of_profile(profile);
        assert_eq!(
            (best_of(profile, &own), KeyDayRule::best_of(profile, &own)),
            (Identity::TransactionId, KeyDayRule::Date)
        );
    }

    #[test]
    fn rules_have_one_word_each() {
        for rule in [KeyDayRule::Date, KeyDayRule::Bucket] {
            assert_eq!(rule.as_str().parse(), Ok(rule));
        }
        assert_eq!("day".parse::<KeyDayRule>(), Err(UnknownKeyDayRule));
    }
}
