//! Why a text is not a profile, in words with a remedy and in tags.

use std::fmt;

use super::Subject;
use crate::field::Field;

/// Everything that is wrong with a profile: at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileErrors(pub(super) Vec<ProfileError>);

impl ProfileErrors {
    /// One by one.
    pub fn iter(&self) -> std::slice::Iter<'_, ProfileError> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a ProfileErrors {
    type Item = &'a ProfileError;
    type IntoIter = std::slice::Iter<'a, ProfileError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<ProfileError> for ProfileErrors {
    fn from(error: ProfileError) -> Self {
        Self(vec![error])
    }
}

impl std::error::Error for ProfileErrors {}

/// One line for each.
impl fmt::Display for ProfileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

/// One thing that is wrong with a profile. The text names the problem, then `; ` and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No TOML, an unknown key, or a value of another type.
    #[error("line {line}, column {column}: {problem}; {remedy}")]
    Toml {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong.
        problem: String,
        /// What could stand there.
        remedy: String,
    },
    /// The network's name has other characters than a name may have.
    #[error("network = {0:?} is no name; use a-z, 0-9, - and _")]
    Network(String),
    /// No method at all.
    #[error("method is empty; name GET, POST or both")]
    NoMethod,
    /// No sign before or after the word `name`.
    #[error(
        "macro = {0:?} does not show how a macro is written; write the word name between its signs, such as \"<name>\""
    )]
    MacroStyle(String),
    /// Two parameters of one name, or a name that is another's alias.
    #[error("parameter {0} stands twice; keep one")]
    ParameterTwice(String),
    /// Two parameters for one column.
    #[error(
        "two parameters fill column {0}; keep one, or make one an alias of the other (only sub_id may repeat)"
    )]
    ColumnTwice(Field),
    /// A secret would show in a column.
    #[error("secret parameter {0} fills a column; take its column away")]
    SecretInColumn(String),
    /// A body without POST, or a JSON field without a form.
    #[error("[payload] {0}")]
    Payload(&'static str),
    /// `[signal]` and the parameter with column `signal` need each other.
    #[error(
        "[signal] and a parameter with column = \"signal\" need each other; give both or neither"
    )]
    SignalHalf,
    /// A kind without a value, or one value for both kinds.
    #[error(
        "[signal] has a kind without a value, or one value for both; give each kind values of its own"
    )]
    SignalValues,
    /// `[eligible]` and the parameter with column `eligible` need each other.
    #[error(
        "[eligible] and a parameter with column = \"eligible\" need each other; give both or neither"
    )]
    EligibleHalf,
    /// An answer without a word, or one word for both.
    #[error(
        "[eligible] has an answer without a word, or one word for both; give yes and no words of their own"
    )]
    EligibleWords,
    /// A statement of no network, or a network where there is no statement.
    #[error("statement_of and about = \"statements\" need each other; give both or neither")]
    StatementHalf,
    /// Something that this subject does not have.
    #[error(
        "about = \"{}\" does not go with the rest; placed, cancelled, returned, out_of_network and [eligible] are of \"orders\", \
         the other statuses of \"conversions\" and \"statements\", [signal] of \"conversions\"", .0.as_str()
    )]
    OtherSubject(Subject),
    /// `[status.words]` and the parameter with column `status` need each other.
    #[error(
        "[status.words] and a parameter with column = \"status\" need each other; give both or neither"
    )]
    StatusHalf,
    /// One word for two statuses.
    #[error("[status.words] has {0:?} twice; keep one")]
    StatusWordTwice(String),
    /// A word that no value can be: values are read without the spaces around them.
    #[error(
        "[{section}] has {word:?}, which nothing that is sent can be: values are read without the spaces around them, and an empty one is none; write the word alone"
    )]
    NoWord {
        /// The section.
        section: &'static str,
        /// As it is written.
        word: String,
    },
    /// A rule about a column that no parameter fills.
    #[error(
        "[identity] {rule} names {field}, which no parameter fills; add the parameter or drop it from the rule"
    )]
    NotFilled {
        /// The key in `[identity]`.
        rule: &'static str,
        /// The column.
        field: Field,
    },
    /// A recipe without the value it is named after.
    #[error("[identity] {recipe} lacks {field}; a recipe begins with what it is named after")]
    RecipeLacks {
        /// The recipe.
        recipe: &'static str,
        /// What it lacks.
        field: Field,
    },
    /// A recipe of no values.
    #[error(
        "[identity] {0} is an empty list; name the values that make two postbacks one conversion, or remove the key where the network has no such recipe"
    )]
    EmptyRecipe(&'static str),
    /// A column that cannot play this part.
    #[error("[identity] {rule} cannot use {field}; use {usable}")]
    WrongField {
        /// The key in `[identity]`.
        rule: &'static str,
        /// The column.
        field: Field,
        /// What could stand there.
        usable: &'static str,
    },
    /// No form of date.
    #[error("[dates] forms is empty; name at least one form")]
    NoDateForm,
    /// A form that is never tried with success.
    #[error(
        "[dates] forms has unix_seconds behind unix_milliseconds, which reads every such number first; put unix_seconds first, or keep the one that the network sends"
    )]
    SecondsBehindMilliseconds,
    /// No such zone.
    #[error(
        "[dates] time_zone = {0:?} is no IANA time zone; give one such as \"America/New_York\""
    )]
    TimeZone(String),
}

impl ProfileError {
    /// False where nothing would be read otherwise without it: a word or a form that never fits.
    pub(super) const fn has_effect(&self) -> bool {
        !matches!(self, Self::NoWord { .. } | Self::SecondsBehindMilliseconds)
    }

    /// Machine-readable tag.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Toml { .. } => "profile_not_toml",
            Self::Network(_) => "profile_network",
            Self::NoMethod => "profile_without_method",
            Self::MacroStyle(_) => "profile_macro",
            Self::ParameterTwice(_) => "profile_repeats_parameter",
            Self::ColumnTwice(_) => "profile_repeats_column",
            Self::SecretInColumn(_) => "profile_secret_in_column",
            Self::Payload(_) => "profile_payload",
            Self::SignalHalf | Self::SignalValues => "profile_signal",
            Self::EligibleHalf | Self::EligibleWords => "profile_eligible",
            Self::StatementHalf | Self::OtherSubject(_) => "profile_subject",
            Self::StatusHalf | Self::StatusWordTwice(_) => "profile_status",
            Self::NotFilled { .. }
            | Self::RecipeLacks { .. }
            | Self::EmptyRecipe(_)
            | Self::WrongField { .. } => "profile_identity",
            Self::NoWord { .. } => "profile_word",
            Self::NoDateForm | Self::SecondsBehindMilliseconds | Self::TimeZone(_) => {
                "profile_dates"
            }
        }
    }
}
