//! Exact money without a currency: whole ten-thousandths of a unit.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decimals that an [`Amount`] holds, the scale of the tables it is compared with.
const SCALE: u8 = 4;

/// An exact amount of money in ten-thousandths of a currency unit (`1.50` is 15,000). It may be
/// negative. Its currency stands beside it; the type never mixes two by itself.
///
/// Shown and serialised as a decimal without needless zeros: `180`, `-5.4`, `0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

/// A text that is no amount: not a plain decimal, or with more than four decimals.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an amount: expected a decimal with at most four decimals, like `-5.40`")]
pub struct AmountError {
    /// The text as it was given.
    pub text: String,
}

impl Amount {
    /// No money.
    pub const ZERO: Amount = Amount(0);

    /// An amount of `scaled` ten-thousandths of a unit.
    #[must_use]
    pub const fn from_scaled(scaled: i128) -> Self {
        Amount(scaled)
    }

    /// An amount in a currency's minor unit, which has `digits` decimals (USD: 2, JPY: 0).
    /// More than four count as four.
    #[must_use]
    pub fn from_minor(minor: i64, digits: u8) -> Self {
        Amount(i128::from(minor) * power_of_ten(SCALE - digits.min(SCALE)))
    }

    /// Ten-thousandths of a unit.
    #[must_use]
    pub const fn scaled(self) -> i128 {
        self.0
    }

    /// True below zero; zero itself is not negative.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The amount with at least `digits` decimals (`5.4` with two is `5.40`); more are shown only
    /// where they are not zero.
    #[must_use]
    pub fn with_decimals(self, digits: u8) -> String {
        let unit = power_of_ten(SCALE).unsigned_abs();
        let magnitude = self.0.unsigned_abs();
        let sign = if self.is_negative() { "-" } else { "" };
        let all = format!("{:0width$}", magnitude % unit, width = usize::from(SCALE));
        let kept = all
            .trim_end_matches('0')
            .len()
            .max(usize::from(digits.min(SCALE)));
        let point = if kept == 0 { "" } else { "." };
        format!("{sign}{}{point}{}", magnitude / unit, &all[..kept])
    }
}

fn power_of_ten(exponent: u8) -> i128 {
    10_i128.pow(u32::from(exponent))
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.with_decimals(0))
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        parse(text).map(Amount).ok_or_else(|| AmountError {
            text: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits_only = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits_only(whole) || !digits_only(decimals) {
        return None;
    }
    let decimals = decimals.trim_end_matches('0');
    let missing = SCALE.checked_sub(u8::try_from(decimals.len()).ok()?)?;
    let decimals: i128 = format!("0{decimals}").parse().ok()?;
    let whole: i128 = whole.parse().ok()?;
    let scaled = whole
        .checked_mul(power_of_ten(SCALE))?
        .checked_add(decimals * power_of_ten(missing))?;
    Some(if text.starts_with('-') {
        -scaled
    } else {
        scaled
    })
}

impl Add for Amount {
    type Output = Amount;
    fn add(self, other: Amount) -> Amount {
        Amount(self.0 + other.0)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        self.0 += other.0;
    }
}

impl Neg for Amount {
    type Output = Amount;
    fn neg(self) -> Amount {
        Amount(-self.0)
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, Add::add)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_networks_write() {
        assert_eq!(Amount::from_minor(-18_000, 2).to_string(), "-180");
        assert_eq!(Amount::from_minor(-540, 2).to_string(), "-5.4");
        assert_eq!(Amount::from_minor(-540, 2).with_decimals(2), "-5.40");
        assert_eq!(Amount::from_minor(1_980, 0).with_decimals(0), "1980");
        assert_eq!(Amount::from_minor(5, 2).to_string(), "0.05");
        assert_eq!(Amount::from_scaled(-1).with_decimals(2), "-0.0001");
        assert_eq!(Amount::ZERO.to_string(), "0");
        assert_eq!(Amount::ZERO.with_decimals(2), "0.00");
    }

    #[test]
    fn reads_decimals_exactly() {
        let scaled = |text: &str| text.parse::<Amount>().map(Amount::scaled).ok();
        assert_eq!(scaled("-5.40"), Some(-54_000));
        assert_eq!(scaled("0.0001"), Some(1));
        assert_eq!(scaled("12.34000000"), Some(123_400));
        assert_eq!(scaled("7"), Some(70_000));
        for wrong in ["", "-", "1.", ".5", "1.00001", "1e3", "+1", "1,5", "--1"] {
            assert_eq!(scaled(wrong), None, "{wrong:?}");
        }
    }
}
