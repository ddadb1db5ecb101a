//! What differs between two records of one source's rules.

use std::sync::Arc;

use super::Recorded;
use super::keys::{are_read_elsewhere, are_read_the_same, have_assumed_currency};
use crate::profile::Profile;

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
    /// The network's profile makes keys or their days of something else, or reads what they are made
    /// of out of other parameters.
    KeyRecipe,
    /// Another zone, which is part of the days of dates without an offset.
    TimeZone,
    /// The network's profile, in something that no key is made of.
    Profile,
    /// Another default currency, which is part of keys where a postback has none.
    KeyCurrency,
    /// Another default currency, of which no key is made.
    Currency,
    /// Another id of the account at the network.
    PublisherId,
    /// A URL as registered was changed in its place, and what a key or its day is made of is read
    /// out of something else by it.
    KeyTemplate,
    /// The URLs as registered, in something that no key is made of, or others beside them.
    Template,
    /// Other names of the source.
    Aliases,
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
            Self::KeyCurrency => "key_currency",
            Self::Currency => "currency",
            Self::PublisherId => "publisher_id",
            Self::KeyTemplate => "key_template",
            Self::Template => "template",
            Self::Aliases => "aliases",
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
            | Self::KeyCurrency
            | Self::KeyTemplate
            | Self::TimeZone => true,
            Self::Profile | Self::Currency | Self::PublisherId | Self::Template | Self::Aliases => {
                false
            }
        }
    }

    /// The same sale could get another key or another day if it came by another source of the account
    /// with such rules. By which of its parameters each source sends, and which currency it means
    /// where it says none, is its own affair, as it is within a file.
    const fn parts_sources(self) -> bool {
        self.moves_conversions() && !matches!(self, Self::KeyTemplate | Self::KeyCurrency)
    }
}

impl Recorded {
    /// What differs between these rules and `other` ones of the same source; empty where nothing
    /// does. A profile that cannot be read differs in everything.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let profiles = self.profile().ok().zip(other.profile().ok());
        let profiles = profiles.as_ref().map(|(mine, others)| (&**mine, &**others));
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
        let is_of_keys = profiles.is_some_and(|(mine, _)| have_assumed_currency(self, mine));
        let currency = [Difference::Currency, Difference::KeyCurrency];
        differs(
            self.currency != other.currency,
            currency[usize::from(is_of_keys)],
        );
        differs(
            self.publisher_id != other.publisher_id,
            Difference::PublisherId,
        );
        if self.templates != other.templates {
            let is_moved = profiles
                .is_some_and(|(mine, others)| are_read_elsewhere((self, mine), (other, others)));
            let template = [Difference::Template, Difference::KeyTemplate];
            differs(true, template[usize::from(is_moved)]);
        }
        differs(self.aliases != other.aliases, Difference::Aliases);
        match profiles {
            Some((mine, others)) => {
                differs(self.zone(mine) != other.zone(others), Difference::TimeZone);
                let keys = makes_same_keys(mine, others) && are_read_the_same(self, mine, others);
                differs(!keys, Difference::KeyRecipe);
                differs(
                    keys && mine.text != others.text && !is_same(mine, others),
                    Difference::Profile,
                );
            }
            None => differs(self.profile != other.profile, Difference::KeyRecipe),
        }
        found
    }

    /// In what the keys and days of `other`, a source of the same account, would be others for the
    /// same sales; empty where both can be loaded side by side.
    #[must_use]
    pub(super) fn apart_from(&self, other: &Self) -> Vec<Difference> {
        let mut found = self.differences(other);
        found.retain(|difference| difference.parts_sources());
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
