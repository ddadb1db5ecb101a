//! One value of a sheet, and how each form writes it.

use serde_json::Value;

use super::amount::span;
use super::money::money;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Count(u64),
    /// How much more or less.
    Difference(i64),
    /// Ten-thousandths of a currency's unit; the currency stands in a column of its own.
    Money(i128),
    /// A share as a percentage, with one decimal in tables and two for programs.
    Percent(f64),
    /// A count that need not be whole, with one decimal.
    Mean(f64),
    /// A length of time in seconds, exact to a tenth of a second or better.
    Seconds(f64),
    Flag(bool),
    List(Vec<String>),
    /// Something with parts of its own.
    Nested(Value),
    /// Nothing is known: empty in tables and CSV, null in JSON.
    Missing,
}

impl Cell {
    pub(crate) fn text(text: &(impl ToString + ?Sized)) -> Self {
        Self::Text(text.to_string())
    }

    /// For people.
    pub(crate) fn for_table(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Difference(more) => format!("{more:+}"),
            Self::Money(units) => money(*units),
            Self::Seconds(seconds) => span(*seconds),
            Self::Percent(number) | Self::Mean(number) => format!("{number:.1}"),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::List(items) => items.join(", "),
            Self::Nested(value) => value.to_string(),
            Self::Missing => String::new(),
        }
    }

    /// For one field of CSV.
    pub(crate) fn for_csv(&self) -> String {
        match self {
            Self::Percent(share) => format!("{share:.2}"),
            Self::Difference(more) => more.to_string(),
            Self::Seconds(seconds) => format!("{seconds:.3}"),
            Self::Flag(flag) => flag.to_string(),
            Self::List(items) => items.join(" "),
            other => other.for_table(),
        }
    }

    /// For JSON. Money is a string: a JSON number is read as a binary float.
    pub(crate) fn for_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Count(count) => Value::from(*count),
            Self::Difference(more) => Value::from(*more),
            Self::Seconds(seconds) => Value::from((seconds * 1000.0).round() / 1000.0),
            Self::Money(units) => Value::from(money(*units)),
            Self::Percent(share) => Value::from((share * 100.0).round() / 100.0),
            Self::Mean(mean) => Value::from((mean * 10.0).round() / 10.0),
            Self::Flag(flag) => Value::from(*flag),
            Self::List(items) => Value::from(items.as_slice()),
            Self::Nested(value) => value.clone(),
            Self::Missing => Value::Null,
        }
    }
}
