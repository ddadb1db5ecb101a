//! Values of a row, and how a column takes them.

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::column::{Column, push_text};
use crate::rows::Decimal4;

/// A row of some table, as it is inserted.
pub(crate) trait NativeRow {
    /// Every column that the row has a value for, with it: always the same, in the same order.
    fn values(&self) -> impl AsRef<[(&'static str, Value<'_>)]>;
}

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    /// `String` or `LowCardinality(String)`.
    Text(&'a str),
    /// `UUID`.
    Uuid(Uuid),
    /// `DateTime64(6)`.
    Instant(Timestamp),
    /// `Date`: 1970 to 2149.
    Day(Date),
    /// `Decimal(18, 4)`.
    Decimal(Decimal4),
    /// `UInt16`.
    U16(u16),
    /// `UInt32`.
    U32(u32),
    /// `UInt64`.
    U64(u64),
    /// `UInt128`.
    U128(u128),
    /// No value of a `Nullable`.
    Null,
    /// `Array(String)`, `Array(LowCardinality(String))`.
    Texts(&'a [&'a str]),
    /// The same.
    Strings(&'a [String]),
    /// `Map(String, String)`.
    Pairs(&'a [(&'a str, &'a str)]),
    /// `Map(String, Array(String))`.
    Lists(&'a [(&'a str, &'a [String])]),
}

impl<'a> Value<'a> {
    /// A value of a `Nullable`.
    pub(crate) fn optional<T>(value: Option<T>, some: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, some)
    }
}

/// Why a column does not take a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The table's column has another type than ours.
    #[error("has a type that the value does not fit")]
    Type,
    /// No `Date` of ClickHouse.
    #[error("{0} is outside of 1970-01-01 to 2149-06-06")]
    Day(Date),
}

impl Column {
    /// Adds a row's value.
    pub(super) fn push(&mut self, value: Value<'_>) -> Result<(), Refused> {
        match (self, value) {
            (Self::Text(bytes), Value::Text(text)) => push_text(bytes, text),
            (Self::Dictionary(dictionary), Value::Text(text)) => dictionary.push(text),
            (Self::Fixed { width, bytes }, value) => return push_number(*width, bytes, value),
            (Self::Optional { is_null, values }, value) => {
                let null = matches!(value, Value::Null);
                is_null.push(u8::from(null));
                return if null {
                    values.push_default()
                } else {
                    values.push(value)
                };
            }
            (Self::List { ends, values }, Value::Texts(texts)) => {
                for text in texts {
                    values.push(Value::Text(text))?;
                }
                ends.add(texts.len());
            }
            (Self::List { ends, values }, Value::Strings(texts)) => {
                for text in texts {
                    values.push(Value::Text(text))?;
                }
                ends.add(texts.len());
            }
            (Self::Map { ends, keys, values }, Value::Pairs(pairs)) => {
                for (key, value) in pairs {
                    keys.push(Value::Text(key))?;
                    values.push(Value::Text(value))?;
                }
                ends.add(pairs.len());
            }
            (Self::Map { ends, keys, values }, Value::Lists(lists)) => {
                for (key, list) in lists {
                    keys.push(Value::Text(key))?;
                    values.push(Value::Strings(list))?;
                }
                ends.add(lists.len());
            }
            _ => return Err(Refused::Type),
        }
        Ok(())
    }
}

fn push_number(width: usize, bytes: &mut Vec<u8>, value: Value<'_>) -> Result<(), Refused> {
    match (width, value) {
        (16, Value::Uuid(id)) => {
            // Two numbers of 64 bits, the higher one first.
            let (high, low) = id.as_u64_pair();
            bytes.extend_from_slice(&high.to_le_bytes());
            bytes.extend_from_slice(&low.to_le_bytes());
        }
        (16, Value::U128(number)) => bytes.extend_from_slice(&number.to_le_bytes()),
        (8, Value::Instant(instant)) => {
            bytes.extend_from_slice(&instant.as_microsecond().to_le_bytes());
        }
        (8, Value::Decimal(decimal)) => bytes.extend_from_slice(&decimal.0.to_le_bytes()),
        (8, Value::U64(number)) => bytes.extend_from_slice(&number.to_le_bytes()),
        (4, Value::U32(number)) => bytes.extend_from_slice(&number.to_le_bytes()),
        (2, Value::U16(number)) => bytes.extend_from_slice(&number.to_le_bytes()),
        (2, Value::Day(day)) => bytes.extend_from_slice(&days_since_1970(day)?.to_le_bytes()),
        _ => return Err(Refused::Type),
    }
    Ok(())
}

fn days_since_1970(day: Date) -> Result<u16, Refused> {
    let epoch = jiff::civil::date(1970, 1, 1);
    u16::try_from((day - epoch).get_days()).map_err(|_| Refused::Day(day))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_count_from_1970() {
        assert_eq!(days_since_1970(date(1970, 1, 1)), Ok(0));
        assert_eq!(days_since_1970(date(1970, 1, 16)), Ok(15));
        // 2000-01-01 is day 10,957: 30 years and 7 leap days.
        assert_eq!(days_since_1970(date(2000, 1, 1)), Ok(10_957));
        assert_eq!(days_since_1970(date(2149, 6, 6)), Ok(u16::MAX));
        assert!(days_since_1970(date(2149, 6, 7)).is_err());
        assert!(days_since_1970(date(1969, 12, 31)).is_err());
    }
}
