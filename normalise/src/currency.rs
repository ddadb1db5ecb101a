//! ISO 4217 currency codes.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// A currency of ISO 4217. Of withdrawn ones, which old orders still have, those are known that the
/// library has kept (`HRK`, `BGN`); others (`BYR`, `LTL`, `VEF`) are no currency here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(iso_currency::Currency);

/// The text is no currency code of ISO 4217.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no currency code of ISO 4217; write one such as USD")]
pub struct UnknownCurrency;

impl Currency {
    /// The three capital letters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals its amounts have: 2 for dollars, 0 for yen, 3 for Kuwaiti dinars. `None`
    /// where ISO 4217 names no minor unit (gold, testing codes).
    #[must_use]
    pub fn decimals(self) -> Option<u8> {
        self.0
            .exponent()
            .and_then(|decimals| u8::try_from(decimals).ok())
    }
}

/// Reads the three letters in either case, spaces around.
impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        let mut code: [u8; 3] = text
            .trim()
            .as_bytes()
            .try_into()
            .map_err(|_| UnknownCurrency)?;
        code.make_ascii_uppercase();
        let place = place(code).ok_or(UnknownCurrency)?;
        BY_CODE[place].map(Self).ok_or(UnknownCurrency)
    }
}

/// Every currency at the place of its code: each postback names one or two, and the library
/// compares with all of them.
static BY_CODE: LazyLock<Vec<Option<iso_currency::Currency>>> = LazyLock::new(|| {
    let letters = || b'A'..=b'Z';
    let codes =
        letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
    let known = |code: [u8; 3]| iso_currency::Currency::from_code(str::from_utf8(&code).ok()?);
    codes.map(known).collect()
});

/// Where a code of three capital letters stands among all such codes.
fn place(code: [u8; 3]) -> Option<usize> {
    let letter = |sum: usize, letter: u8| {
        letter
            .is_ascii_uppercase()
            .then(|| sum * 26 + usize::from(letter - b'A'))
    };
    code.into_iter().try_fold(0, letter)
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_are_those_of_iso_4217() {
        for (code, decimals) in [
            ("USD", Some(2)),
            ("JPY", Some(0)),
            ("KWD", Some(3)),
            ("CLF", Some(4)),
            ("XAU", None),
        ] {
            assert_eq!(
                code.parse::<Currency>().unwrap().decimals(),
                decimals,
                "{code}"
            );
        }
    }

    #[test]
    fn codes_are_read_in_either_case_and_nothing_else_is() {
        for (text, code) in [
            ("USD", "USD"),
            (" eur ", "EUR"),
            ("Jpy", "JPY"),
            ("HRK", "HRK"),
        ] {
            assert_eq!(text.parse::<Currency>().unwrap().as_str(), code);
        }
        for text in ["", "US", "USDT", "ZZZ", "€", "é1", "$", "BYR"] {
            assert_eq!(text.parse::<Currency>(), Err(UnknownCurrency), "{text:?}");
        }
    }
}
