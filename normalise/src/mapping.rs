//! Which parameter carries which field.

use crate::field::Field;
use crate::profile::{Parameter, Profile};

/// What one source's parameters mean: made once from a template or a profile, asked for every
/// parameter of every postback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// In the order in which they are expected.
    carriers: Vec<Carrier>,
    carried: [bool; Field::COUNT],
    /// Names, as sent, of parameters whose values are masked.
    secrets: Vec<Box<str>>,
    /// Names that carry nothing here, and surprise nobody: static ones, and the network's own.
    known: Vec<Box<str>>,
}

/// A parameter that the network fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// As sent.
    pub parameter: Box<str>,
    /// The network's own name for it.
    pub network_name: Box<str>,
    /// The column; `None`: kept in `extra`.
    pub column: Option<Field>,
}

impl Mapping {
    /// The network's own names: what holds without a template.
    #[must_use]
    pub fn of_profile(profile: &Profile) -> Self {
        Self::of_own_names(profile, &[])
    }

    /// The network's own names, beside parameters that are static.
    pub(crate) fn of_own_names(profile: &Profile, statics: &[(String, String)]) -> Self {
        let mut carriers: Vec<Carrier> = Vec::new();
        // Aliases come last: a request that has them has few of them.
        for nth in 0..=most_aliases(profile) {
            for parameter in &profile.parameters {
                carriers.extend(parameter.names().nth(nth).map(|name| Carrier {
                    parameter: name.into(),
                    network_name: parameter.name.as_str().into(),
                    column: parameter.column,
                }));
            }
        }
        Self::new(carriers, statics, profile)
    }

    pub(crate) fn new(
        mut carriers: Vec<Carrier>,
        statics: &[(String, String)],
        profile: &Profile,
    ) -> Self {
        if let Some(numbering) = numbering(&carriers, statics, profile) {
            carriers.push(numbering);
        }
        let mut carried = [false; Field::COUNT];
        for column in carriers.iter().filter_map(|carrier| carrier.column) {
            carried[column.index()] = true;
        }
        let renamed = carriers
            .iter()
            .filter(|carrier| profile.is_secret(&carrier.network_name));
        let secrets = renamed.map(|carrier| carrier.parameter.clone());
        let own = profile
            .secret_params
            .iter()
            .map(|name| name.as_str().into());
        let secrets = secrets.chain(own).collect();
        let statics = statics.iter().map(|(name, _)| name.as_str());
        let own = profile.parameters.iter().flat_map(Parameter::names);
        let masked = profile.secret_params.iter().map(String::as_str);
        let held = profile.payload.json_field.as_deref();
        let known = statics.chain(own).chain(masked).chain(held);
        let known = known.filter(|name| !carriers.iter().any(|c| *c.parameter == **name));
        Self {
            known: known.map(Into::into).collect(),
            carriers,
            carried,
            secrets,
        }
    }

    /// Every parameter that the network fills, in the order of the template or profile.
    #[must_use]
    pub fn carriers(&self) -> &[Carrier] {
        &self.carriers
    }

    /// True when some parameter carries the field.
    #[must_use]
    pub const fn carries(&self, field: Field) -> bool {
        self.carried[field.index()]
    }

    /// Finds a parameter as sent, looking first where `expected` says: networks send in the order
    /// of the template, so that nearly every look-up is one comparison.
    pub(crate) fn find(&self, parameter: &str, expected: usize) -> Option<(usize, &Carrier)> {
        let at_once = self.carriers.get(expected);
        if let Some(carrier) = at_once.filter(|carrier| is_same(&carrier.parameter, parameter)) {
            return Some((expected, carrier));
        }
        let (before, after) = self.carriers.split_at(expected.min(self.carriers.len()));
        let ahead = after
            .iter()
            .enumerate()
            .map(|(n, carrier)| (before.len() + n, carrier));
        ahead
            .chain(before.iter().enumerate())
            .find(|(_, carrier)| &*carrier.parameter == parameter)
    }

    /// True when the value of a parameter, named as sent, must not be shown; whatever the case of its
    /// letters, for a secret is one however it was written.
    #[must_use]
    pub fn is_secret(&self, parameter: &str) -> bool {
        let mut secrets = self.secrets.iter();
        secrets.any(|secret| secret.eq_ignore_ascii_case(parameter))
    }

    /// True when a text may name a parameter whose value must not be shown, or hide such a name
    /// behind an escape.
    pub(crate) fn may_name_secret(&self, text: &str) -> bool {
        let is_named = |secret: &str| {
            let mut parts = text.as_bytes().windows(secret.len().max(1));
            parts.any(|part| part.eq_ignore_ascii_case(secret.as_bytes()))
        };
        !self.secrets.is_empty()
            && (text.contains('\\') || self.secrets.iter().any(|secret| is_named(secret)))
    }

    /// True when a parameter that carries nothing was to be expected all the same.
    pub(crate) fn expects(&self, parameter: &str) -> bool {
        self.known.iter().any(|known| &**known == parameter)
    }
}

/// The parameter that numbers lines, where a template does not name it: no network sends it, so that
/// no URL need carry it. Whoever brings a file in writes it under its own name.
fn numbering(
    carriers: &[Carrier],
    statics: &[(String, String)],
    profile: &Profile,
) -> Option<Carrier> {
    let name = profile.parameter_for(Field::Occurrence)?;
    let is_carried = carriers.iter().any(|carrier| &*carrier.parameter == name);
    let is_static = statics.iter().any(|(own, _)| own == name);
    (!is_carried && !is_static).then(|| Carrier {
        parameter: name.into(),
        network_name: name.into(),
        column: Some(Field::Occurrence),
    })
}

/// As `==`, which is a call for as few bytes as a name has.
#[inline]
fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        0..4 => one.iter().eq(other),
        4..8 => ends::<4>(one) == ends::<4>(other),
        8..=16 => ends::<8>(one) == ends::<8>(other),
        _ => one == other,
    }
}

/// Its first and its last bytes, which may overlap.
fn ends<const N: usize>(bytes: &[u8]) -> (Option<&[u8; N]>, Option<&[u8; N]>) {
    (bytes.first_chunk(), bytes.last_chunk())
}

fn most_aliases(profile: &Profile) -> usize {
    let aliases = profile.parameters.iter().map(|own| own.aliases.len());
    aliases.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_when_every_byte_is() {
        let name = "etransaction_id_and_more";
        for length in 0..=name.len() {
            let name = &name[..length];
            assert!(is_same(name, name));
            assert!(!is_same(name, &format!("{name}x")));
            for at in 0..length {
                let mut other = name.to_owned();
                other.replace_range(at..=at, "#");
                assert!(!is_same(name, &other), "{other}");
            }
        }
    }
}
