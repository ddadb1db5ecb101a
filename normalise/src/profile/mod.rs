//! What is known of a network, read from a TOML file: `schemas/networks/NAME.toml`.
//!
//! The files of the repository are compiled in ([`builtin`], [`all`]); any other is read by
//! [`Profile::parse`]. No code knows a network by its name.

mod check;
mod confidence;
mod error;
mod file;
mod macro_style;
mod reading;
mod rules;

use std::sync::{Arc, LazyLock};

use postback_common::name::NetworkName;

pub use confidence::{Confidence, Fact, SectionConfidence};
pub use error::{ProfileError, ProfileErrors};
pub use macro_style::MacroStyle;
pub use rules::{
    AmountForm, AmountRules, BodyForm, CommissionCurrency, DateForm, DateRules, EligibleWords,
    IdentityRules, Method, PayloadRules, Repeat, SignalValues, StatusRules, Subject,
};

use crate::field::Field;
use check::Origin;

/// The files that are compiled in.
const BUILTIN: &[&str] = &[
    include_str!("../../../schemas/networks/rakuten.toml"),
    include_str!("../../../schemas/networks/awin.toml"),
    include_str!("../../../schemas/networks/impact.toml"),
    include_str!("../../../schemas/networks/shareasale.toml"),
    include_str!("../../../schemas/networks/everflow.toml"),
    include_str!("../../../schemas/networks/generic.toml"),
    include_str!("../../../schemas/networks/orders.toml"),
    include_str!("../../../schemas/networks/rakuten-item-report.toml"),
    include_str!("../../../schemas/networks/rakuten-signature-feed.toml"),
];

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
    /// What its records speak of.
    pub about: Subject,
    /// The network whose statement this is; only with [`Subject::Statements`].
    pub statement_of: Option<NetworkName>,
    /// How the network sends; a request by another method is flagged. At least one.
    pub methods: Vec<Method>,
    /// How its URL templates write a macro.
    pub macro_style: MacroStyle,
    /// Its parameters under their own names, each once.
    pub parameters: Vec<Parameter>,
    /// Names of parameters whose values are masked wherever they would be shown.
    pub secret_params: Vec<String>,
    /// Where parameters stand.
    pub payload: PayloadRules,
    /// How money is written.
    pub amounts: AmountRules,
    /// How signals are told from transactions; `None` where everything is a transaction.
    pub signal: Option<SignalValues>,
    /// How orders that count for the network are told from others; only with [`Subject::Orders`].
    pub eligible: Option<EligibleWords>,
    /// How far a conversion is.
    pub status: StatusRules,
    /// What its conversions are known by.
    pub identity: IdentityRules,
    /// How dates are written.
    pub dates: DateRules,
    /// How well its sections are known.
    pub sections: SectionConfidence,
    /// As it was written: TOML, comments included.
    pub text: Arc<str>,
}

/// One parameter that the network can send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The network's own name: also the name of its macro.
    pub name: String,
    /// Other names under which it comes, and other spellings of its macro.
    pub aliases: Vec<String>,
    /// The column it fills; `None`: it is kept in `extra`.
    pub column: Option<Field>,
    /// How well this is known.
    pub confidence: Confidence,
}

impl Parameter {
    /// Its name, then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let aliases = self.aliases.iter().map(String::as_str);
        std::iter::once(self.name.as_str()).chain(aliases)
    }
}

impl Profile {
    /// Reads and checks a profile.
    ///
    /// # Errors
    /// [`ProfileErrors`]: everything that is wrong, each with what to do. What is no TOML, an
    /// unknown key, or a value of a wrong type comes first: without it the rest is looked at.
    pub fn parse(toml: &str) -> Result<Self, ProfileErrors> {
        check::check(reading::read(toml)?, toml, Origin::File)
    }

    /// Reads a profile that a generation is loaded by. What an earlier version let pass and has no
    /// effect, this one lets pass too.
    ///
    /// # Errors
    /// As [`Profile::parse`] for everything else.
    pub(crate) fn parse_recorded(toml: &str) -> Result<Self, ProfileErrors> {
        check::check(reading::read(toml)?, toml, Origin::Generation)
    }

    /// The network's parameter that fills a column.
    #[must_use]
    pub fn parameter_for(&self, column: Field) -> Option<&str> {
        self.parameters
            .iter()
            .find(|p| p.column == Some(column))
            .map(|p| p.name.as_str())
    }

    /// The network's parameter of that name or alias.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.names().any(|known| known == name))
    }

    /// The macro by which a template carries a parameter: of its own name, or of the first alias
    /// that can be a macro's. A heading such as `Member ID` cannot.
    #[must_use]
    pub fn macro_for(&self, parameter: &Parameter) -> Option<String> {
        let mut names = parameter.names();
        let fit = names.find(|name| MacroStyle::can_name(name));
        fit.map(|name| self.macro_style.write(name))
    }

    /// True when the value of a parameter, by the network's name or alias, must not be shown.
    #[must_use]
    pub fn is_secret(&self, name: &str) -> bool {
        let mut secrets = self.secret_params.iter();
        secrets.any(|secret| secret.eq_ignore_ascii_case(name))
    }

    /// True when requests can carry parameters in their body.
    #[must_use]
    pub fn reads_bodies(&self) -> bool {
        !self.payload.bodies.is_empty()
    }

    /// True when the network sends by that method.
    #[must_use]
    pub fn sends_by(&self, method: &str) -> bool {
        self.methods.iter().any(|known| known.as_str() == method)
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

    #[test]
    fn the_weakest_fact_tells_how_far_to_trust_a_profile() {
        let rakuten = builtin("rakuten").unwrap();
        let weak: Vec<_> = rakuten
            .facts()
            .filter(|fact| fact.confidence != Confidence::Verified)
            .collect();
        let [weak] = weak.as_slice() else {
            panic!("{weak:?}")
        };
        assert_eq!((weak.name, weak.is_parameter), ("commission_list_id", true));
        assert_eq!(rakuten.confidence(), Confidence::ThirdParty);
        assert_eq!(
            builtin("awin").unwrap().confidence(),
            Confidence::Unverified
        );
    }
}
