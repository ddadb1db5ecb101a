//! What a report's rows are of.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Span, Zoned};

use super::DateBy;
use super::column::{Column, Place, Table, Value};

/// A length of time that rows are grouped by, in the question's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Each hour of each day; where clocks are set back, an hour of the same name is another one.
    Hour,
    /// From midnight, or what stands for it.
    Day,
    /// From Monday.
    Week,
    /// From its first day.
    Month,
}

impl Step {
    const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// As it stands on command lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// Where a row's length of time begins, and a text that sorts as the times do.
    fn value(self, date: DateBy) -> Value {
        let date = format!("assumeNotNull({})", date.column());
        match self {
            Self::Hour => Value {
                sql: format!("toStartOfHour(toTimeZone({date}, {{zone:String}}))"),
                text: "leftPad(toString(toUnixTimestamp({})), 10, '0')",
            },
            Self::Day => Value::printed(format!("toDate({date}, {{zone:String}})")),
            Self::Week => Value::printed(format!("toMonday({date}, {{zone:String}})")),
            Self::Month => Value {
                sql: format!("toStartOfMonth({date}, {{zone:String}})"),
                text: "substring(toString({}), 1, 7)",
            },
        }
    }

    /// What a person reads, so many days later.
    fn label(self, sent: &str, zone: &TimeZone, days: i64) -> Option<String> {
        match self {
            Self::Hour => {
                let began = Timestamp::from_second(sent.parse().ok()?).ok()?;
                let began = began.to_zoned(zone.clone());
                let moved = (days != 0).then(|| same_hour(&began, days)).flatten();
                Some(hour(&moved.unwrap_or(began)))
            }
            Self::Day | Self::Week => {
                let day: Date = sent.parse().ok()?;
                let moved = day.checked_add(Span::new().try_days(days).ok()?).ok()?;
                Some(moved.to_string())
            }
            Self::Month => Some(sent.to_owned()),
        }
    }
}

/// The hour of the same name so many days later. `None` where there is none: clocks skip it, or show
/// its name twice on the earlier day and this is the second, which would stand where the first does.
fn same_hour(began: &Zoned, days: i64) -> Option<Zoned> {
    let zone = began.time_zone();
    let of_name = zone.to_ambiguous_zoned(began.datetime()).offset();
    if matches!(of_name, AmbiguousOffset::Fold { after, .. } if after == began.offset()) {
        return None;
    }
    let days = Span::new().try_days(days).ok()?;
    let later = zone.to_ambiguous_zoned(began.datetime().checked_add(days).ok()?);
    if matches!(later.offset(), AmbiguousOffset::Gap { .. }) {
        return None;
    }
    later.compatible().ok()
}

fn hour(began: &Zoned) -> String {
    if began.offset() == Offset::UTC {
        began.strftime("%Y-%m-%dT%H:%MZ").to_string()
    } else {
        began.strftime("%Y-%m-%dT%H:%M%:z").to_string()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What rows are of, beside other dimensions and the currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// Of a time.
    Time(Step),
    /// Of an advertiser: of a network, and its id there.
    Advertiser,
    /// Of the template that the URL names by its marker `pbt`; empty where it names none.
    Template,
    /// Of a column's value.
    Column(Column),
}

/// The parameter by which a URL names its template.
const MARKER: &str = "extra['pbt'][1]";

impl Dimension {
    /// The dimension of that name in the rows of `table`.
    #[must_use]
    pub fn of(table: Table, name: &str) -> Option<Self> {
        if let Some(step) = Step::ALL.into_iter().find(|step| step.as_str() == name) {
            return Some(Self::Time(step));
        }
        match (table, name) {
            (Table::Conversions, "advertiser") => Some(Self::Advertiser),
            (Table::Conversions, "template") => Some(Self::Template),
            _ => {
                let column = Column::of(table, name)?;
                // A row that has several is of none of them alone.
                column.value("").map(|_| Self::Column(column))
            }
        }
    }

    /// Names that [`Dimension::of`] knows.
    #[must_use]
    pub fn all(table: Table) -> Vec<&'static str> {
        let own: &[&str] = match table {
            Table::Conversions => &["advertiser", "template"],
            Table::Postbacks => &[],
        };
        let steps = Step::ALL.into_iter().map(Step::as_str);
        let columns = table
            .names()
            .filter(|name| !matches!(*name, "flags" | "reasons"));
        steps.chain(own.iter().copied()).chain(columns).collect()
    }

    /// As it stands on command lines.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Time(step) => step.as_str().to_owned(),
            Self::Advertiser => "advertiser".to_owned(),
            Self::Template => "template".to_owned(),
            Self::Column(column) => column.to_string(),
        }
    }

    /// Names of the columns in which a row says what it is of.
    pub(in crate::reports) fn names(&self) -> Vec<String> {
        match self {
            Self::Advertiser => vec!["network".to_owned(), "advertiser".to_owned()],
            other => vec![other.name()],
        }
    }

    pub(super) const fn step(&self) -> Option<Step> {
        match self {
            Self::Time(step) => Some(*step),
            _ => None,
        }
    }

    /// Values for each row, as many as there are names; `key` names the parameter of a map's key.
    pub(super) fn values(&self, date: DateBy, key: &str) -> Vec<Value> {
        match self {
            Self::Time(step) => vec![step.value(date)],
            Self::Advertiser => {
                let names = ["network", "advertiser_id"];
                names.map(|name| Value::printed(name.to_owned())).into()
            }
            Self::Template => vec![Value::printed(MARKER.to_owned())],
            Self::Column(column) => column.value(key).into_iter().collect(),
        }
    }

    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Column(Column(Place::SubId(key) | Place::Extra(key))) => Some(key),
            _ => None,
        }
    }

    pub(super) fn label(&self, sent: &str, zone: &TimeZone, days: i64) -> String {
        let label = self.step().and_then(|step| step.label(sent, zone, days));
        label.unwrap_or_else(|| sent.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_found_by_name() {
        for name in Dimension::all(Table::Conversions) {
            let found = Dimension::of(Table::Conversions, name).unwrap();
            assert_eq!(found.name(), name);
            assert_eq!(
                found.names().len(),
                found.values(DateBy::Occurred, "k").len()
            );
        }
        for unknown in ["", "flags", "days", "revision", "minute"] {
            assert_eq!(
                Dimension::of(Table::Conversions, unknown),
                None,
                "{unknown}"
            );
        }
        let advertiser = Dimension::of(Table::Conversions, "advertiser").unwrap();
        assert_eq!(advertiser.names(), ["network", "advertiser"]);
        assert_eq!(Dimension::of(Table::Postbacks, "template"), None);
    }
}
