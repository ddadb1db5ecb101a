//! What differs between two records of one source's rules.

use std::sync::Arc;

use super::Recorded;
use super::keys::are_read_elsewhere;
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
            | Self::KeyTemplate
            | Self::TimeZone => true,
            Self::Profile | Self::Currency | Self::PublisherId | Self::Template | Self::Aliases => {
                false
            }
        }
    }
}

impl Recorded {
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
        if self.templates != other.templates {
            let profile = self.profile();
            let is_moved = profile.is_ok_and(|profile| are_read_elsewhere(self, other, &profile));
            let template = [Difference::Template, Difference::KeyTemplate];
            differs(true, template[usize::from(is_moved)]);
        }
        differs(self.aliases != other.aliases, Difference::Aliases);
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
