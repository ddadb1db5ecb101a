//! Exact decimals: money and quantities.

use std::fmt;

use crate::decode::trim;

/// Decimals kept: the scale of every amount column, `Decimal(18, 4)`.
pub const SCALE: usize = 4;

/// Units in one: an [`Amount`] counts ten-thousandths.
const UNITS_PER_ONE: i64 = 10_i64.pow(4);

/// Most digits, decimals and all: an amount is less than 10^13 either way.
const MAX_DIGITS: usize = 13 + SCALE;

/// A decimal with four places, exact. Its magnitude is below 10^13. The currency stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

/// True for digits with separators among them that could mean either thousands or decimals: a
/// comma, apostrophes, spaces, several points. Such a text is not read as an [`Amount`].
#[must_use]
pub fn has_doubtful_separator(text: &str) -> bool {
    let digits = text.trim();
    let digits = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let is_separator = |c: char| {
        matches!(
            c,
            '.' | ',' | '\'' | '’' | ' ' | '_' | '\u{a0}' | '\u{202f}'
        )
    };
    let is_digit = |c: char| c.is_ascii_digit();
    digits.starts_with(|c| is_digit(c) || is_separator(c))
        && digits.contains(is_digit)
        && digits.chars().all(|c| is_digit(c) || is_separator(c))
        && Amount::parse(text) == Err(AmountFault::Unreadable)
}

/// Largest exponent of a JSON number that is read, either way: one beyond it gives no amount, whatever
/// a program puts before it.
const MAX_EXPONENT: i32 = 40;

/// A JSON number without its exponent, exactly: `1.25E7` is `12500000`, as Java writes doubles of ten
/// million and more. `None` where there is none, or it is out of reason.
#[must_use]
pub(crate) fn without_exponent(number: &str) -> Option<String> {
    let (mantissa, exponent) = number.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let shift = usize::try_from(exponent.unsigned_abs()).ok()?;
    if !(-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent) {
        return None;
    }
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa),
    };
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    // The point moves over digits that are there, or over zeros.
    let zeros = "0".repeat(shift);
    let (before, behind) = if exponent < 0 {
        (format!("{zeros}{whole}"), places.to_owned())
    } else {
        (whole.to_owned(), format!("{places}{zeros}"))
    };
    let all = format!("{before}{behind}");
    let point = if exponent < 0 {
        before.len() - shift
    } else {
        before.len() + shift
    };
    let (whole, places) = all.split_at_checked(point)?;
    let point = if places.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{places}"))
}

/// Why a text is not an [`Amount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountFault {
    /// Not a plain decimal number: thousands separators, a decimal comma, an exponent, letters.
    Unreadable,
    /// A number of 10^13 or more, or with more than four decimals that are not zero.
    OutOfRange,
}

impl Amount {
    /// Reads `-180`, `+3`, `5.40`, `.5`: digits with at most one point and one sign, spaces around.
    ///
    /// Separators of thousands and decimal commas are not guessed at: `1,234` is either of two
    /// amounts.
    ///
    /// # Errors
    /// [`AmountFault`] says which of the two ways it is wrong. An empty text is unreadable.
    pub fn parse(text: &str) -> Result<Self, AmountFault> {
        Self::read(text, SCALE)
    }

    /// The same of a text that counts minor units (cents) as whole ones; `decimals` is how many the
    /// currency has. It is the amount that is bounded, not the number that is written.
    ///
    /// # Errors
    /// As [`Amount::parse`]; out of range is also what has more decimals than an amount.
    pub fn parse_minor_units(text: &str, decimals: u8) -> Result<Self, AmountFault> {
        match SCALE.checked_sub(decimals.into()) {
            Some(scale) => Self::read(text, scale),
            // No currency has that many.
            None => Self::parse(text).and(Err(AmountFault::OutOfRange)),
        }
    }

    /// What is written with at most `scale` decimals, as a number of the last of them.
    #[inline]
    fn read(text: &str, scale: usize) -> Result<Self, AmountFault> {
        let text = trim(text).as_bytes();
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let mut units: i64 = 0;
        let (mut whole_digits, mut places) = (0, None);
        let (mut any_digit, mut fits) = (false, true);
        for byte in digits {
            let digit = match (byte, places) {
                (b'0'..=b'9', _) => i64::from(byte - b'0'),
                (b'.', None) => {
                    places = Some(0);
                    continue;
                }
                _ => return Err(AmountFault::Unreadable),
            };
            any_digit = true;
            match &mut places {
                None if units == 0 && digit == 0 => continue,
                None => whole_digits += 1,
                Some(places) if *places < scale => *places += 1,
                // Nothing is rounded: only zeros may follow.
                Some(_) => {
                    fits &= digit == 0;
                    continue;
                }
            }
            fits &= whole_digits <= MAX_DIGITS - scale;
            if fits {
                // At most 17 digits: this cannot overflow.
                units = units * 10 + digit;
            }
        }
        if !any_digit {
            return Err(AmountFault::Unreadable);
        }
        if !fits {
            return Err(AmountFault::OutOfRange);
        }
        for _ in places.unwrap_or(0)..scale {
            units *= 10;
        }
        Ok(Self(if negative { -units } else { units }))
    }

    /// Ten-thousandths: what a `Decimal(18, 4)` column stores.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Exactly zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// All four decimals, a sign only below zero: `-5.4000`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, places) = (self.0.abs() / UNITS_PER_ONE, self.0.abs() % UNITS_PER_ONE);
        write!(f, "{sign}{whole}.{places:04}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_decimals_are_exact() {
        let cases = [
            ("-180", -1_800_000, "-180.0000"),
            ("-5.4", -54_000, "-5.4000"),
            ("+3", 30_000, "3.0000"),
            (" 12.34 ", 123_400, "12.3400"),
            (".5", 5_000, "0.5000"),
            ("5.", 50_000, "5.0000"),
            ("-0", 0, "0.0000"),
            ("-0.0001", -1, "-0.0001"),
            ("0.10000000", 1_000, "0.1000"),
            ("000000000000000000001", 10_000, "1.0000"),
            (
                "9999999999999.9999",
                99_999_999_999_999_999,
                "9999999999999.9999",
            ),
            (
                "-9999999999999.9999",
                -99_999_999_999_999_999,
                "-9999999999999.9999",
            ),
        ];
        for (text, units, shown) in cases {
            let amount = Amount::parse(text).unwrap();
            assert_eq!(
                (amount.units(), amount.to_string().as_str()),
                (units, shown),
                "{text:?}"
            );
        }
    }

    #[test]
    fn exponents_are_taken_away_exactly() {
        let cases = [
            ("1.25E7", Some("12500000.0000")),
            ("1.2345678912E7", Some("12345678.9120")),
            ("-1e2", Some("-100.0000")),
            ("1E+7", Some("10000000.0000")),
            ("0.0", None),
            ("125", None),
            ("1.25E-2", Some("0.0125")),
            ("5e-4", Some("0.0005")),
            ("5e0", Some("5.0000")),
            ("0e9", Some("0.0000")),
            ("123456.5e-1", Some("12345.6500")),
            ("12.5e-1", Some("1.2500")),
            ("9.9999999999999999E12", Some("9999999999999.9999")),
            ("1E13", None),
            ("1E-5", None),
            ("1E41", None),
            ("1E-2147483648", None),
            ("1E99999999999", None),
        ];
        for (number, expected) in cases {
            let plain = without_exponent(number);
            let amount = plain.and_then(|plain| Amount::parse(&plain).ok());
            let shown = amount.map(|amount| amount.to_string());
            assert_eq!(shown.as_deref(), expected, "{number}");
        }
    }

    #[test]
    fn minor_units_are_divided_exactly_or_not_at_all() {
        let cases = [
            ("1234", 2, Some("12.3400")),
            ("-5", 2, Some("-0.0500")),
            ("1234", 0, Some("1234.0000")),
            ("1234", 3, Some("1.2340")),
            ("1", 4, Some("0.0001")),
            ("12.5", 2, Some("0.1250")),
            ("0.001", 2, None),
            ("1", 5, None),
            ("1", 30, None),
            // The amount is bounded, not the number of its minor units.
            ("10000000000000", 2, Some("100000000000.0000")),
            ("-999999999999999.99", 2, Some("-9999999999999.9999")),
            ("1000000000000000", 2, None),
            ("99999999999999999", 4, Some("9999999999999.9999")),
            ("9999999999999", 0, Some("9999999999999.0000")),
            ("10000000000000", 0, None),
            ("1.234", 2, None),
            ("1,5", 2, None),
        ];
        for (text, decimals, expected) in cases {
            let amount = Amount::parse_minor_units(text, decimals).ok();
            let shown = amount.map(|amount| amount.to_string());
            assert_eq!(shown.as_deref(), expected, "{text} with {decimals}");
        }
    }

    #[test]
    fn separators_that_could_mean_either_are_told_apart_from_other_texts() {
        for text in [
            "1,234.50",
            "1.234,50",
            "12,5",
            "1 000",
            "1'000",
            "1.2.3",
            "-1,0",
            "1\u{a0}000",
            ",5",
        ] {
            assert!(has_doubtful_separator(text), "{text:?}");
        }
        for text in [
            "", "1234.5", "-", ",", "abc", "1,2x", "1e3", "$1,000", "--1,0 -", "--1", "+-1",
        ] {
            assert!(!has_doubtful_separator(text), "{text:?}");
        }
    }

    #[test]
    fn nothing_is_guessed_or_rounded() {
        for text in [
            "", " ", "-", "+", ".", "abc", "1,234.50", "1.234,50", "12,5", "1e3", "--1", "+-1",
            "1 000", "1.2.3", "$5", "٣", "NaN", "0x10", "- 5",
        ] {
            assert_eq!(
                Amount::parse(text),
                Err(AmountFault::Unreadable),
                "{text:?}"
            );
        }
        for text in [
            "10000000000000",
            "-10000000000000",
            "0.00001",
            "1.23456",
            "99999999999999999999999999",
        ] {
            assert_eq!(
                Amount::parse(text),
                Err(AmountFault::OutOfRange),
                "{text:?}"
            );
        }
    }
}
