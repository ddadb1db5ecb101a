//! Rows of a report beside those that are expected, figure by figure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::money;

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Figure {
    Text(String),
    Count(i128),
    Money(i128),
    /// Shown with two decimals.
    Percent(f64),
    /// Shown with three decimals.
    Seconds(f64),
    /// Shown with one decimal.
    Mean(f64),
    /// At most so far away.
    Near(f64, f64),
    Flag(bool),
    Missing,
    /// Compared elsewhere.
    Any,
}

/// Figures of a row by their columns' names.
pub(crate) type Figures = Vec<(String, Figure)>;

/// All rows, by the texts that say what each is of.
pub(crate) type Rows = BTreeMap<Vec<String>, Figures>;

impl Figure {
    pub(crate) fn count(count: u64) -> Self {
        Self::Count(count.into())
    }

    /// So many of so many in percent; nothing can be a share of nothing.
    #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
    pub(crate) fn percent(part: i128, of: i128) -> Self {
        if of == 0 {
            return Self::Missing;
        }
        Self::Percent(100.0 * part as f64 / of as f64)
    }

    fn is(&self, shown: &Value) -> bool {
        let near = |number: f64, by: f64| {
            let shown = shown.as_f64();
            shown.is_some_and(|shown| (shown - number).abs() <= by + 1e-9 * number.abs() + 1e-9)
        };
        match self {
            Self::Text(text) => shown.as_str() == Some(text),
            Self::Count(count) => shown.as_i64().map(i128::from) == Some(*count),
            Self::Money(units) => shown.as_str().map(money::read) == Some(*units),
            Self::Percent(number) => near(*number, 0.005),
            Self::Seconds(number) => near(*number, 0.000_5),
            // A report of this moment tells it to the second.
            Self::Mean(number) => near(*number, 0.052),
            Self::Near(number, by) => near(*number, *by),
            Self::Flag(flag) => shown.as_bool() == Some(*flag),
            Self::Missing => shown.is_null(),
            Self::Any => true,
        }
    }
}

/// A figure under its name.
pub(crate) fn named(name: &str, figure: Figure) -> (String, Figure) {
    (name.to_owned(), figure)
}

/// The report has these rows, each once, and no figure beside those that are expected.
pub(crate) fn assert_rows(what: &str, report: &Value, keys: &[&str], expected: &Rows) {
    let mut seen = BTreeMap::new();
    for row in report["rows"].as_array().unwrap() {
        let key: Vec<String> = (keys.iter())
            .map(|name| text(&row[*name]).unwrap_or_else(|| panic!("{what}: no {name}: {row}")))
            .collect();
        assert!(seen.insert(key, row).is_none(), "{what}: twice: {row}");
    }
    for (key, figures) in expected {
        let row = seen
            .remove(key)
            .unwrap_or_else(|| panic!("{what}: {key:?} is missing: {figures:?}"));
        assert_figures(&format!("{what}: {key:?}"), row, figures);
        let columns = row.as_object().unwrap().len();
        assert_eq!(columns, keys.len() + figures.len(), "{what}: {row}");
    }
    assert!(seen.is_empty(), "{what}: not expected: {seen:?}");
}

/// An object has these figures.
pub(crate) fn assert_figures(what: &str, shown: &Value, figures: &Figures) {
    for (name, figure) in figures {
        let value = shown.get(name);
        let is_equal = value.is_some_and(|value| figure.is(value));
        assert!(is_equal, "{what}: {name} is not {figure:?}: {shown}");
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
