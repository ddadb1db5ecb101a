//! Which parameter carries which field.

use crate::field::Field;
use crate::profile::Profile;

/// What one source's parameters mean: made once from a template or a profile, asked for every
/// parameter of every postback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// In the order in which they are expected.
    carriers: Vec<Carrier>,
    carried: [bool; Field::COUNT],
    /// Names, as sent, of parameters whose values are masked.
    secrets: Vec<Box<str>>,
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
        let own = profile.parameters.iter().map(|parameter| Carrier {
            parameter: parameter.name.as_str().into(),
            network_name: parameter.name.as_str().into(),
            column: parameter.column,
        });
        Self::new(own.collect(), profile)
    }

    pub(crate) fn new(carriers: Vec<Carrier>, profile: &Profile) -> Self {
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
        Self {
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
        let (before, after) = self.carriers.split_at(expected.min(self.carriers.len()));
        let ahead = after
            .iter()
            .enumerate()
            .map(|(n, carrier)| (before.len() + n, carrier));
        ahead
            .chain(before.iter().enumerate())
            .find(|(_, carrier)| &*carrier.parameter == parameter)
    }

    /// True when the value of a parameter, named as sent, must not be shown.
    #[must_use]
    pub fn is_secret(&self, parameter: &str) -> bool {
        self.secrets.iter().any(|secret| &**secret == parameter)
    }
}
