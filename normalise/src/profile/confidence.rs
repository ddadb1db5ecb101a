//! How well the facts of a profile are known.

use std::fmt;

use serde::Deserialize;

use super::Profile;

/// How well a fact about a network is known; the weaker, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
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

impl Confidence {
    /// From the best to the weakest.
    pub const ALL: [Self; 3] = [Self::Verified, Self::ThirdParty, Self::Unverified];

    /// As profiles write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::ThirdParty => "third_party",
            Self::Unverified => "unverified",
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that a profile says about its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact<'p> {
    /// A parameter's name, or a section of the file: `delivery` (method and macro style),
    /// `payload`, `amounts`, `signal`, `eligible`, `status`, `identity`, `dates`.
    pub name: &'p str,
    /// It is a parameter.
    pub is_parameter: bool,
    /// How well it is known.
    pub confidence: Confidence,
}

/// How well the sections of a profile are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionConfidence(pub(super) Vec<(&'static str, Confidence)>);

impl Profile {
    /// Everything that the profile says, section by section, then parameter by parameter.
    pub fn facts(&self) -> impl Iterator<Item = Fact<'_>> {
        let sections = self.sections.0.iter().map(|(name, confidence)| Fact {
            name,
            is_parameter: false,
            confidence: *confidence,
        });
        let parameters = self.parameters.iter().map(|parameter| Fact {
            name: &parameter.name,
            is_parameter: true,
            confidence: parameter.confidence,
        });
        sections.chain(parameters)
    }

    /// That of the least known fact.
    #[must_use]
    pub fn confidence(&self) -> Confidence {
        let all = self.facts().map(|fact| fact.confidence);
        all.max().unwrap_or_default()
    }
}
