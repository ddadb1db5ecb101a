//! A profile's TOML, with everything in it that a profile cannot have.

use std::ops::Range;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

use super::error::{ProfileError, ProfileErrors};
use super::file::ProfileFile;

/// Reads the text; what is found wrong is taken out, and the rest read again, until nothing is
/// found any more.
pub(super) fn read(text: &str) -> Result<ProfileFile, ProfileErrors> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(told(&errors, text));
    }
    let (mut errors, mut taken_out) = (Vec::new(), Vec::new());
    loop {
        let error = match ProfileFile::deserialize(Deserializer::from(table.clone())) {
            Ok(file) if errors.is_empty() => return Ok(file),
            Ok(_) => break,
            Err(error) => error,
        };
        let place = error.span().map(|span| span.start);
        if !missing(&error).is_some_and(|key| taken_out.iter().any(|out| out == key)) {
            errors.push(error);
        }
        match place.and_then(|place| take_out(table.get_mut(), place)) {
            Some(key) => taken_out.push(key),
            None => break,
        }
    }
    Err(told(&errors, text))
}

/// Takes out the innermost entry at a place of the text; its key.
fn take_out(table: &mut DeTable<'_>, place: usize) -> Option<String> {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        let name = || Some(key.get_ref().to_string());
        if key.span().contains(&place) {
            found = name();
        } else if let Some(within) = take_out_within(value.get_mut(), place) {
            return Some(within);
        } else if value.span().contains(&place) {
            found = name();
        }
    }
    table.remove(found.as_deref()?);
    found
}

fn take_out_within(value: &mut DeValue<'_>, place: usize) -> Option<String> {
    let items = match value {
        DeValue::Table(table) => return take_out(table, place),
        DeValue::Array(items) => items,
        _ => return None,
    };
    let within = items.iter_mut();
    let mut within = within.filter_map(|item| take_out_within(item.get_mut(), place));
    if let Some(key) = within.next() {
        return Some(key);
    }
    let is_there = |item: &Spanned<DeValue<'_>>| item.span().contains(&place);
    if !items.iter().any(is_there) {
        return None;
    }
    let all = std::mem::replace(items, DeArray::new()).into_iter();
    *items = all.filter(|item| !is_there(item)).collect();
    Some(String::new())
}

/// The key that an error says is missing.
fn missing(error: &Error) -> Option<&str> {
    error
        .message()
        .strip_prefix("missing field `")?
        .strip_suffix('`')
}

/// In the order of the text.
fn told(errors: &[Error], text: &str) -> ProfileErrors {
    let mut errors: Vec<&Error> = errors.iter().collect();
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    ProfileErrors(errors.into_iter().map(|error| fault(error, text)).collect())
}

/// What is wrong and what could stand there, both as the parser says it.
fn fault(error: &Error, text: &str) -> ProfileError {
    let (line, column) = place(text, error.span());
    let words = error.message().lines().collect::<Vec<_>>().join(", ");
    let (problem, remedy) = match words.split_once(", expected ") {
        _ if words.starts_with("duplicate key") => (words.as_str(), "keep one".to_owned()),
        Some((problem, expected)) if expected.starts_with("struct ") => {
            (problem, "give a table".to_owned())
        }
        Some((problem, expected)) => (problem, format!("give {expected}")),
        None if missing(error).is_some() => (
            words.as_str(),
            "add it: schemas/networks/README.md says what it means".to_owned(),
        ),
        None => (
            words.as_str(),
            "write it as the files in schemas/networks do".to_owned(),
        ),
    };
    ProfileError::Toml {
        line,
        column,
        problem: problem.to_owned(),
        remedy,
    }
}

/// Line and column, both from 1.
fn place(text: &str, span: Option<Range<usize>>) -> (usize, usize) {
    let before = span
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[line_start..].chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../schemas/networks/rakuten.toml");

    fn errors(text: &str) -> Vec<String> {
        let errors = read(text).err().unwrap();
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everything_that_no_profile_has_is_told_with_its_place_in_one_line_each() {
        let wrong = GOOD
            .replace("title =", "titel =")
            .replace("method = \"GET\"", "method = \"PUT\"")
            .replace("column = \"sku\"", "column = \"skew\"")
            .replace("name = \"sid\",", "name = 5,")
            .replace("column = \"click_id\"", "colum = \"click_id\"")
            .replace("default = \"reported\"", "default = \"done\"")
            .replace("forms = [", "form = [");
        let errors = errors(&wrong);
        let starts = [
            "line 1, column 1: missing field `title`; add it: schemas",
            "line 4, column 1: unknown field `titel`; give one of `network`, `title`",
            "line 5, column 10: no such method; give \"GET\", \"POST\" or [",
            "line 16, column 14: invalid type: integer `5`; give a string",
            "line 19, column 37: unknown variant `skew`; give one of `transaction_id`",
            "line 28, column 20: unknown field `colum`; give one of `name`, `aliases`",
            "line 43, column 11: unknown variant `done`; give one of `reported`",
            "line 57, column 1: missing field `forms`; add it: schemas",
            "line 60, column 1: unknown field `form`; give one of `forms`",
        ];
        assert_eq!(errors.len(), starts.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(starts) {
            let is_one_line = error.lines().count() == 1;
            assert!(error.starts_with(start) && is_one_line, "{error}");
        }
    }

    #[test]
    fn what_is_no_toml_is_told_in_the_same_way() {
        let wrong = "network = rakuten\ntitle = \"a\"\ntitle = \"b\"\nmacro = \n";
        let quoted = "string values must be quoted; give literal string";
        let expected = [
            format!("line 1, column 11: {quoted}"),
            "line 3, column 1: duplicate key; keep one".to_owned(),
            format!("line 4, column 9: {quoted}"),
        ];
        assert_eq!(errors(wrong), expected);
    }

    #[test]
    fn what_is_missing_is_told() {
        let empty = errors("");
        assert_eq!(
            empty,
            [
                "line 1, column 1: missing field `network`; add it: schemas/networks/README.md says what it means"
            ]
        );
        let bare =
            "network = 1\nparameters = [{ name = 1 }, 2, { name = \"a\", aliases = \"b\" }]\n";
        assert_eq!(errors(bare).len(), 4, "{:?}", errors(bare));
    }
}
