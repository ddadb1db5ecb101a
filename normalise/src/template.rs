//! The URL as registered with a network: which parameter carries which field.

use std::fmt;

use postback_common::reason::Flag;
use postback_common::secret::{HIDDEN, sounds_secret};

use crate::decode;
use crate::field::Field;
use crate::mapping::{Carrier, Mapping};
use crate::profile::Profile;

/// The static parameter by which a URL names itself: `pbt=2`. A request that has it is read by the
/// template with the same value, whenever it comes.
pub const MARKER: &str = "pbt";

/// What a registered URL says about its parameters. Of the URL itself only names and static values
/// of the query are kept: its path holds the URL key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    mapping: Mapping,
    statics: Vec<(String, String)>,
    marker: Option<Box<str>>,
    notes: Vec<TemplateNote>,
}

/// Something in a template that works, but hardly as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateNote {
    /// The profile knows no such macro: whatever comes is kept in `extra`.
    UnknownMacro {
        /// The parameter that carries it.
        parameter: String,
        /// The macro's name.
        name: String,
    },
    /// A macro with other text around it: the value is kept in `extra`, as no column can take it.
    MixedValue {
        /// The parameter.
        parameter: String,
    },
    /// A macro whose name has other characters than such a name may have: the value is kept in
    /// `extra`.
    UnfitName {
        /// The parameter.
        parameter: String,
        /// What stands between the macro's signs.
        name: String,
    },
    /// A macro that an earlier parameter carries already: this one is kept in `extra`.
    SecondCarrier {
        /// The later parameter.
        parameter: String,
        /// The macro's name.
        name: String,
    },
}

/// One sentence for people, with the remedy.
impl fmt::Display for TemplateNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMacro { parameter, name } => write!(
                f,
                "parameter {parameter}: the network has no macro {name} that is known here; what comes is kept in extra"
            ),
            Self::MixedValue { parameter } => write!(
                f,
                "parameter {parameter}: a macro with other text around it fills no column; give the macro alone"
            ),
            Self::UnfitName { parameter, name } => write!(
                f,
                "parameter {parameter}: no macro can be called {name}, and it fills no column; call it by a name of letters, digits, _, - and ."
            ),
            Self::SecondCarrier { parameter, name } => write!(
                f,
                "parameter {parameter}: an earlier one carries macro {name} already; keep one of the two"
            ),
        }
    }
}

/// Why a URL cannot be a source's template. Never names the URL itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing stands behind a `?`.
    #[error(
        "the template has no parameters; give the URL as registered, with everything behind its ?"
    )]
    NoQuery,
    /// Nothing would tell signals from transactions, and their money must never be added.
    #[error(
        "the template lacks {remedy}, without which signals cannot be told from transactions; add {remedy} here and at the network"
    )]
    NoSignalField {
        /// What to add, such as `is_event=<is_event>`.
        remedy: String,
    },
    /// One name twice: only the first could be read.
    #[error(
        "parameter {0} stands twice in the template; keep one of them, here and at the network"
    )]
    RepeatedParameter(String),
    /// More parameters than are read of a request.
    #[error(
        "the template has more than {} parameters; leave some out",
        decode::MAX_PARAMETERS
    )]
    TooManyParameters,
}

impl TemplateError {
    /// Machine-readable tag.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoQuery => "template_without_query",
            Self::NoSignalField { .. } => "template_without_signal_field",
            Self::RepeatedParameter(_) => "template_repeats_parameter",
            Self::TooManyParameters => "template_too_long",
        }
    }
}

impl Template {
    /// Reads a URL as registered. Its macros may be raw or percent-encoded. Where it has none, and
    /// the network sends bodies, the network's own names hold: the body has them.
    ///
    /// # Errors
    /// [`TemplateError`] when nothing could be counted by it.
    pub fn parse(url: &str, profile: &Profile) -> Result<Self, TemplateError> {
        let query = url.split_once('?').map(|(_, query)| query);
        Self::of_query(query.unwrap_or_default(), profile)
    }

    /// Reads what stands behind the `?` of a URL as registered.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn of_query(query: &str, profile: &Profile) -> Result<Self, TemplateError> {
        let (template, errors) = Self::examine(query, profile);
        errors.into_iter().next().map_or(Ok(template), Err)
    }

    /// As [`Template::of_query`], with everything that is wrong, and what the rest would mean: a
    /// parameter that stands twice is read where it stands first.
    #[must_use]
    pub fn examine(query: &str, profile: &Profile) -> (Self, Vec<TemplateError>) {
        let mut errors = Vec::new();
        let decoded = decode::decode(query.as_bytes());
        if decoded.pairs.is_empty() && !profile.reads_bodies() {
            errors.push(TemplateError::NoQuery);
        }
        if decoded.faults.contains(&Flag::TooManyParameters) {
            errors.push(TemplateError::TooManyParameters);
        }
        let (mut carriers, mut statics, mut notes) =
            (Vec::<Carrier>::new(), Vec::new(), Vec::new());
        for (index, pair) in decoded.pairs.iter().enumerate() {
            if decoded.pairs[..index]
                .iter()
                .any(|earlier| earlier.name == pair.name)
            {
                let repeated = TemplateError::RepeatedParameter(pair.name.to_string());
                if !errors.contains(&repeated) {
                    errors.push(repeated);
                }
                continue;
            }
            let parameter = pair.name.to_string();
            match profile.macro_style.name_in(&pair.value) {
                Some(name) => {
                    let (column, note) = column_of(name, &parameter, &carriers, profile);
                    notes.extend(note);
                    let known = profile.parameter(name);
                    carriers.push(Carrier {
                        parameter: parameter.into(),
                        network_name: known.map_or(name, |known| &known.name).into(),
                        column,
                    });
                }
                None if profile.macro_style.occurs_in(&pair.value) => {
                    notes.push(no_carrier(parameter, &pair.value, profile));
                }
                None => {
                    let shown = if profile.is_secret(&parameter) || sounds_secret(&parameter) {
                        HIDDEN
                    } else {
                        &*pair.value
                    };
                    statics.push((parameter, shown.to_owned()));
                }
            }
        }
        let mapping = if carriers.is_empty() && profile.reads_bodies() {
            Mapping::of_own_names(profile, &statics)
        } else {
            Mapping::new(carriers, &statics, profile)
        };
        if let Some(name) = profile.parameter_for(Field::Signal)
            && !mapping.carries(Field::Signal)
        {
            let remedy = format!("{name}={}", profile.macro_style.write(name));
            errors.push(TemplateError::NoSignalField { remedy });
        }
        let template = Self {
            mapping,
            marker: marker(&statics),
            statics,
            notes,
        };
        (template, errors)
    }

    /// Which parameter carries which field.
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Parameters that come with the same value each time, in the URL's order; secret ones hidden.
    #[must_use]
    pub fn statics(&self) -> &[(String, String)] {
        &self.statics
    }

    /// The value of its [`MARKER`], where it has one.
    #[must_use]
    pub fn marker(&self) -> Option<&str> {
        self.marker.as_deref()
    }

    /// What hardly works as meant.
    #[must_use]
    pub fn notes(&self) -> &[TemplateNote] {
        &self.notes
    }
}

fn marker(statics: &[(String, String)]) -> Option<Box<str>> {
    let (_, value) = statics.iter().find(|(name, _)| name == MARKER)?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.into())
}

/// Why a macro's value fills no column.
fn no_carrier(parameter: String, value: &str, profile: &Profile) -> TemplateNote {
    match profile.macro_style.unfit_name_in(value) {
        Some(name) => TemplateNote::UnfitName {
            parameter,
            name: name.to_owned(),
        },
        None => TemplateNote::MixedValue { parameter },
    }
}

fn column_of(
    name: &str,
    parameter: &str,
    earlier: &[Carrier],
    profile: &Profile,
) -> (Option<Field>, Option<TemplateNote>) {
    let known = profile.parameter(name);
    let own_name = known.map_or(name, |known| &known.name);
    let (parameter, name) = (parameter.to_owned(), name.to_owned());
    if earlier
        .iter()
        .any(|carrier| *carrier.network_name == *own_name)
    {
        return (None, Some(TemplateNote::SecondCarrier { parameter, name }));
    }
    match known {
        Some(known) => (known.column, None),
        None => (None, Some(TemplateNote::UnknownMacro { parameter, name })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;

    fn parse(url: &str) -> Result<Template, TemplateError> {
        Template::parse(url, profile::builtin("rakuten").unwrap())
    }

    /// They are recorded with the rules, and shown.
    #[test]
    fn a_static_secret_is_hidden_whether_the_profile_or_its_name_says_so() {
        let generic = profile::builtin("generic").unwrap();
        assert!(generic.is_secret("hash") && !sounds_secret("hash"));
        assert!(!generic.is_secret("api_key") && sounds_secret("api_key"));
        let url = "https://h/postback/key?order_id={order_id}&hash=CANARY&api_key=CANARY&cid=7";
        let template = Template::parse(url, generic).unwrap();
        let told = [("hash", HIDDEN), ("api_key", HIDDEN), ("cid", "7")];
        let told = told.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(template.statics(), told);
    }

    #[test]
    fn carriers_statics_and_notes_are_told_apart() {
        let url = "https://h/postback/CANARY-key?unique_id=<u1>&cid=7&is_event=%3Cis_event%3e&tt=<transaction_type>\
                   &x=<foo>&y=a-<u1>&again=<u1>&%6Fid=<order_id>";
        let template = parse(url).unwrap();
        let mapping = template.mapping();
        let column = |name: &str| mapping.find(name, 0).map(|(_, carrier)| carrier.column);
        assert_eq!(column("unique_id"), Some(Some(Field::ClickId)));
        assert_eq!(column("is_event"), Some(Some(Field::Signal)));
        assert_eq!(column("oid"), Some(Some(Field::OrderId)));
        for kept in ["tt", "x", "again"] {
            assert_eq!(column(kept), Some(None), "{kept}");
        }
        for other in ["u1", "cid", "y"] {
            assert_eq!(column(other), None, "{other}");
        }
        assert!(mapping.carries(Field::ClickId) && !mapping.carries(Field::SaleAmount));
        assert_eq!(template.statics(), [("cid".to_owned(), "7".to_owned())]);
        let (x, y, again) = ("x".to_owned(), "y".to_owned(), "again".to_owned());
        let expected = [
            TemplateNote::UnknownMacro {
                parameter: x,
                name: "foo".to_owned(),
            },
            TemplateNote::MixedValue { parameter: y },
            TemplateNote::SecondCarrier {
                parameter: again,
                name: "u1".to_owned(),
            },
        ];
        assert_eq!(template.notes(), expected);
        assert!(
            template.notes()[1]
                .to_string()
                .contains("parameter y: a macro with other text")
        );
        assert!(!format!("{template:?}").contains("CANARY"));
    }

    #[test]
    fn a_heading_is_no_macro_and_an_alias_of_it_is() {
        let profile = profile::builtin("rakuten-item-report").unwrap();
        for written in ["<Member ID>", "%3CMember%20ID%3E", "<Member+ID>"] {
            let query = format!("Klick=<u1>&Mitglied={written}");
            let template = Template::of_query(&query, profile).unwrap();
            let note = TemplateNote::UnfitName {
                parameter: "Mitglied".to_owned(),
                name: "Member ID".to_owned(),
            };
            assert_eq!(template.notes(), [note], "{written}");
            let (_, carrier) = template.mapping().find("Klick", 0).unwrap();
            assert_eq!(carrier.column, Some(Field::ClickId));
            assert_eq!(&*carrier.network_name, "Member ID");
        }
        let headings = profile.parameters.iter().filter(|p| p.column.is_some());
        for parameter in headings {
            let written = profile.macro_for(parameter).unwrap();
            let name = profile.macro_style.name_in(&written).unwrap();
            assert_eq!(profile.parameter(name), Some(parameter), "{written}");
        }
    }

    #[test]
    fn what_cannot_be_counted_by_is_refused_without_the_path() {
        let cases = [
            (
                "https://h/postback/CANARY",
                "template_without_query",
                "everything behind its ?",
            ),
            (
                "https://h/postback/CANARY?",
                "template_without_query",
                "everything behind its ?",
            ),
            (
                "https://h/CANARY?u1=<u1>",
                "template_without_signal_field",
                "add is_event=<is_event>",
            ),
            (
                "https://h/CANARY?is_event=N&u1=<u1>",
                "template_without_signal_field",
                "add is_event=<is_event>",
            ),
            (
                "https://h/CANARY?is_event=<is_event>&u1=<u1>&u1=1",
                "template_repeats_parameter",
                "u1 stands twice",
            ),
        ];
        for (url, tag, text) in cases {
            let error = parse(url).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(
                error.as_str() == tag && shown.contains(text) && !shown.contains("CANARY"),
                "{shown}"
            );
        }
        let long = format!(
            "https://h/k?is_event=<is_event>{}",
            (0..200).map(|n| format!("&p{n}=1")).collect::<String>()
        );
        assert_eq!(parse(&long), Err(TemplateError::TooManyParameters));
    }
}
