//! What a profile says beside its parameters.

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::conversion::Status;
use crate::field::Field;

/// A method that a network uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Everything stands in the query.
    Get,
    /// A body may carry parameters, too.
    Post,
}

impl Method {
    /// As it stands in a raw record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What a source's records speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Conversions, as a network pushes them.
    #[default]
    Conversions,
    /// Orders of the advertiser's own shop.
    Orders,
    /// Lines of a network's statement.
    Statements,
}

impl Subject {
    /// As profiles write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conversions => "conversions",
            Self::Orders => "orders",
            Self::Statements => "statements",
        }
    }
}

/// Where parameters stand, beside the query, which is always read and comes first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PayloadRules {
    /// The forms of body that are read; empty: a body is left unread, and flagged.
    pub bodies: Vec<BodyForm>,
    /// A field of a form whose value is a JSON object: its members are parameters.
    pub json_field: Option<String>,
    /// A JSON body may be an array of objects, each of which is read as if it had come alone.
    pub array: bool,
}

/// What a body can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyForm {
    /// `application/x-www-form-urlencoded`, read as a query is.
    Form,
    /// One JSON object, whose members are parameters.
    Json,
}

impl BodyForm {
    /// As profiles write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Json => "json",
        }
    }
}

/// How money is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AmountRules {
    /// The form of every money field.
    pub form: AmountForm,
    /// The currency of a commission that comes without one.
    pub commission_currency: CommissionCurrency,
}

/// The form of a money field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountForm {
    /// `12.34`.
    #[default]
    Decimal,
    /// `1234` in a currency of two decimals, `1234` yen in one of none: ISO 4217 says how many. An
    /// amount whose currency is not known cannot be read.
    MinorUnits,
}

impl AmountForm {
    /// As profiles write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decimal => "decimal",
            Self::MinorUnits => "minor_units",
        }
    }
}

/// The currency of a commission that comes without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommissionCurrency {
    /// That of the sale.
    #[default]
    Sale,
    /// The source's: the network pays in the currency of the publisher's account, whatever the
    /// customer paid in.
    Source,
}

impl CommissionCurrency {
    /// As profiles write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Source => "source",
        }
    }
}

/// The values of the parameter that tells signals from transactions, compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalValues {
    /// An early signal: pays nothing. Not empty; the first one stands in hashes.
    pub signal: Vec<String>,
    /// A transaction. Not empty; the first one stands in hashes.
    pub transaction: Vec<String>,
}

/// The values of the parameter that says whether an order counts for the network, compared without
/// case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EligibleWords {
    /// It does.
    pub yes: Vec<String>,
    /// It does not: the order is out of network, unless its status says more.
    pub no: Vec<String>,
}

/// A conversion's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRules {
    /// The usual one where the network sends none, or a word that is not known.
    pub default: Status,
    /// The one instead of the usual when an amount is negative, where that says something.
    pub negative: Option<Status>,
    /// The network's own words, compared without case; each once.
    pub words: Vec<(String, Status)>,
}

impl StatusRules {
    /// What a word of the network says.
    #[must_use]
    pub fn of_word(&self, word: &str) -> Option<Status> {
        let found = (self.words.iter()).find(|(known, _)| known.eq_ignore_ascii_case(word));
        found.map(|(_, status)| *status)
    }

    /// A word by which the network says that.
    #[must_use]
    pub fn word_for(&self, status: Status) -> Option<&str> {
        let found = self.words.iter().find(|(_, known)| *known == status);
        found.map(|(word, _)| word.as_str())
    }
}

/// What a network's conversions are known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRules {
    /// Values of the recipe `transaction_id`; empty where the network has none.
    pub transaction_id: Vec<Field>,
    /// Values of the recipe `order`; empty where the network has none.
    pub order: Vec<Field>,
    /// Fields that a recipe compares in lower case (ASCII).
    pub ignore_case: Vec<Field>,
    /// The date that never changes for one conversion; `None`: a bucket of the key's hash.
    pub immutable_date: Option<Field>,
    /// The network's own time: of two postbacks with one key, the later counts.
    pub revision_time: Option<Field>,
    /// What a second postback with the same key means.
    pub repeat: Repeat,
}

/// What a second postback with the same key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// The conversion has changed: the newest counts.
    #[default]
    Revision,
    /// The network sent the same again, such as after a time-out: the first counts.
    Duplicate,
}

impl Repeat {
    /// As profiles write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revision => "revision",
            Self::Duplicate => "duplicate",
        }
    }
}

/// How dates are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateRules {
    /// The forms that dates come in, tried in this order.
    pub forms: Vec<DateForm>,
    /// Where a time without an offset is local, unless the source says otherwise.
    pub zone: TimeZone,
}

/// A form of date that networks send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateForm {
    /// `Sat Mar 14 2020 18:28:18 GMT+0000 (UTC)`: how JavaScript prints a date.
    Javascript,
    /// `2014-04-30T02:18:36Z`, with an offset, or local; a space may stand for the `T`; a date
    /// alone is its midnight.
    #[serde(rename = "iso_8601")]
    Iso8601,
    /// `2014-04-30 02:18:36`, always local; the seconds may have decimals.
    DateTime,
    /// `4/30/2014` or `04/30/14`, with or without a local time behind it (`2:18`, `02:18:36`).
    MonthDayYear,
    /// `1398824316`: seconds since 1970-01-01 UTC.
    UnixSeconds,
    /// `1398824316000`: milliseconds since then.
    UnixMilliseconds,
}

impl DateForm {
    /// As profiles write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Javascript => "javascript",
            Self::Iso8601 => "iso_8601",
            Self::DateTime => "date_time",
            Self::MonthDayYear => "month_day_year",
            Self::UnixSeconds => "unix_seconds",
            Self::UnixMilliseconds => "unix_milliseconds",
        }
    }
}
