//! What must hold inside a profile before anything is read by it.

use std::collections::BTreeSet;

use postback_common::name::NetworkName;

use super::file::{IdentityFile, ProfileFile, SignalFile};
use super::{IdentityRules, MacroStyle, Parameter, Profile, SignalValues, StatusRule};
use crate::field::Field;

/// Why a text is not a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No TOML, an unknown key, or a value of another type.
    #[error("{0}")]
    Toml(String),
    /// The network's name has other characters than a name may have.
    #[error("network = {0:?} is no name; use a-z, 0-9, - and _")]
    Network(String),
    /// No sign before or after the word `name`.
    #[error(
        "macro = {0:?} does not show how a macro is written; write the word name between its signs, such as \"<name>\""
    )]
    MacroStyle(String),
    /// Two parameters of one name.
    #[error("parameter {0} stands twice; keep one")]
    ParameterTwice(String),
    /// Two parameters for one column.
    #[error("two parameters fill column {0}; keep one (only sub_id may repeat)")]
    ColumnTwice(Field),
    /// A secret would show in a column.
    #[error("secret parameter {0} fills a column; take its column away")]
    SecretInColumn(String),
    /// `[signal]` and the parameter with column `signal` need each other.
    #[error(
        "[signal] and a parameter with column = \"signal\" need each other; give both or neither"
    )]
    SignalHalf,
    /// A kind without a value, or one value for both kinds.
    #[error("[signal] needs at least one value for each kind, and none for both")]
    SignalValues,
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
}

pub(super) fn check(file: ProfileFile, text: &str) -> Result<Profile, ProfileError> {
    let network =
        NetworkName::new(&file.network).map_err(|_| ProfileError::Network(file.network))?;
    let macro_style =
        MacroStyle::parse(&file.macro_style).ok_or(ProfileError::MacroStyle(file.macro_style))?;
    let parameters = file
        .parameters
        .into_iter()
        .map(|p| Parameter {
            name: p.name,
            column: p.column,
            confidence: p.confidence,
        })
        .collect::<Vec<_>>();
    check_parameters(&parameters, &file.secret_params)?;
    let filled = |field: Field| parameters.iter().any(|p| p.column == Some(field));
    let signal = file.signal.map(check_signal).transpose()?;
    if signal.is_some() != filled(Field::Signal) {
        return Err(ProfileError::SignalHalf);
    }
    let identity = check_identity(file.identity, filled)?;
    if file.dates.forms.is_empty() {
        return Err(ProfileError::NoDateForm);
    }
    Ok(Profile {
        network,
        title: file.title,
        method: file.method,
        macro_style,
        parameters,
        secret_params: file.secret_params,
        signal,
        status: StatusRule {
            default: file.status.default,
            negative: file.status.negative,
        },
        identity,
        date_forms: file.dates.forms,
        text: text.into(),
    })
}

fn check_parameters(parameters: &[Parameter], secrets: &[String]) -> Result<(), ProfileError> {
    let (mut names, mut columns) = (BTreeSet::new(), BTreeSet::new());
    for Parameter { name, column, .. } in parameters {
        if !names.insert(name) {
            return Err(ProfileError::ParameterTwice(name.clone()));
        }
        let Some(column) = *column else { continue };
        if secrets.contains(name) {
            return Err(ProfileError::SecretInColumn(name.clone()));
        }
        if column != Field::SubId && !columns.insert(column) {
            return Err(ProfileError::ColumnTwice(column));
        }
    }
    Ok(())
}

fn check_signal(file: SignalFile) -> Result<SignalValues, ProfileError> {
    let both = |value: &String| {
        file.transaction
            .iter()
            .any(|other| other.eq_ignore_ascii_case(value))
    };
    if file.signal.is_empty() || file.transaction.is_empty() || file.signal.iter().any(both) {
        return Err(ProfileError::SignalValues);
    }
    Ok(SignalValues {
        signal: file.signal,
        transaction: file.transaction,
    })
}

fn check_identity(
    file: IdentityFile,
    filled: impl Fn(Field) -> bool,
) -> Result<IdentityRules, ProfileError> {
    let recipes = [
        ("transaction_id", &file.transaction_id, Field::TransactionId),
        ("order", &file.order, Field::OrderId),
    ];
    for (rule, fields, needed) in recipes {
        if !fields.is_empty() && !fields.contains(&needed) {
            return Err(ProfileError::RecipeLacks {
                recipe: rule,
                field: needed,
            });
        }
        if fields.contains(&Field::SubId) {
            let usable = "a column with one value";
            return Err(ProfileError::WrongField {
                rule,
                field: Field::SubId,
                usable,
            });
        }
    }
    let dates = [
        ("immutable_date", file.immutable_date),
        ("revision_time", file.revision_time),
    ];
    for (rule, field) in dates {
        if let Some(field) =
            field.filter(|field| !matches!(field, Field::OccurredAt | Field::ProcessedAt))
        {
            return Err(ProfileError::WrongField {
                rule,
                field,
                usable: "occurred_at or processed_at",
            });
        }
    }
    let used = (recipes
        .iter()
        .flat_map(|(rule, fields, _)| fields.iter().map(|field| (*rule, *field))))
    .chain(file.ignore_case.iter().map(|field| ("ignore_case", *field)))
    .chain(
        dates
            .iter()
            .filter_map(|(rule, field)| field.map(|field| (*rule, field))),
    );
    for (rule, field) in used {
        if !filled(field) {
            return Err(ProfileError::NotFilled { rule, field });
        }
    }
    Ok(IdentityRules {
        transaction_id: file.transaction_id,
        order: file.order,
        ignore_case: file.ignore_case,
        immutable_date: file.immutable_date,
        revision_time: file.revision_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../schemas/networks/rakuten.toml");

    fn error_with(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        Profile::parse(&GOOD.replace(from, to))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_contradiction_is_refused_with_its_remedy() {
        let cases = [
            ("title =", "titel =", "titel"),
            ("network = \"rakuten\"", "network = \"Ra kuten\"", "a-z"),
            (
                "macro = \"<name>\"",
                "macro = \"name\"",
                "between its signs",
            ),
            ("name = \"sid\"", "name = \"u1\"", "u1 stands twice"),
            (
                "column = \"click_id\"",
                "column = \"sku\"",
                "two parameters fill column sku",
            ),
            ("column = \"click_id\"", "column = \"clickid\"", "clickid"),
            (
                "secret_params = []",
                "secret_params = [\"u1\"]",
                "u1 fills a column",
            ),
            (", column = \"signal\"", "", "need each other"),
            (
                "signal = [\"Y\"]",
                "signal = [\"n\"]",
                "at least one value for each kind",
            ),
            (
                "signal = [\"Y\"]",
                "signal = []",
                "at least one value for each kind",
            ),
            (
                ", column = \"occurred_at\"",
                "",
                "immutable_date names occurred_at",
            ),
            (
                "order = [\"advertiser_id\", \"order_id\"",
                "order = [\"advertiser_id\"",
                "order lacks order_id",
            ),
            (
                "order = [\"advertiser_id\"",
                "order = [\"sub_id\"",
                "order cannot use sub_id",
            ),
            (
                "revision_time = \"processed_at\"",
                "revision_time = \"sku\"",
                "use occurred_at or processed_at",
            ),
            (
                "forms = [\"javascript\", \"iso_8601\"]",
                "forms = []",
                "at least one form",
            ),
            ("default = \"reported\"", "default = \"done\"", "done"),
        ];
        for (from, to, expected) in cases {
            let error = error_with(from, to);
            assert!(error.contains(expected), "{to}: {error}");
        }
    }
}
