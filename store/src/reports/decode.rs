//! Columns as the server sends them, into our types.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde::{Deserialize, Deserializer};

/// A sum of money in ten-thousandths of a currency's unit, exact. The currency stands beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct Money(
    /// Ten-thousandths.
    pub i128,
);

impl std::ops::Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        // Each is a sum of numbers below 10^18: 10^20 rows would be needed to overflow.
        Self(self.0.saturating_add(other.0))
    }
}

/// `DateTime64(6)`.
pub(crate) fn micros<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let micros = i64::deserialize(deserializer)?;
    Timestamp::from_microsecond(micros).map_err(serde::de::Error::custom)
}

/// `Nullable(DateTime64(6))`.
pub(crate) fn optional_micros<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let micros = Option::<i64>::deserialize(deserializer)?;
    let instant = micros.map(Timestamp::from_microsecond).transpose();
    instant.map_err(serde::de::Error::custom)
}

/// `Date`: days since 1970.
pub(crate) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let days = u16::deserialize(deserializer)?;
    after_1970(days).map_err(serde::de::Error::custom)
}

fn after_1970(days: u16) -> Result<Date, jiff::Error> {
    date(1970, 1, 1).checked_add(jiff::Span::new().days(i64::from(days)))
}

/// `Nullable(Decimal(18, 4))`.
pub(super) fn optional_money<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Money>, D::Error> {
    let units = Option::<i64>::deserialize(deserializer)?;
    Ok(units.map(|units| Money(i128::from(units))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_1970() {
        assert_eq!(after_1970(0).unwrap(), date(1970, 1, 1));
        // 2000-01-01 is day 10,957: 30 years and 7 leap days.
        assert_eq!(after_1970(10_957).unwrap(), date(2000, 1, 1));
        assert_eq!(after_1970(u16::MAX).unwrap(), date(2149, 6, 6));
    }
}
