//! ISO 4217 currency codes.

use std::fmt;
use std::str::FromStr;

/// A currency of ISO 4217, withdrawn ones included: old orders still have theirs.
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
        let code = str::from_utf8(&code).map_err(|_| UnknownCurrency)?;
        iso_currency::Currency::from_code(code)
            .map(Self)
            .ok_or(UnknownCurrency)
    }
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
    fn codes_are_read_in_either_case_and_nothing_else_is() {
        for (text, code) in [
            ("USD", "USD"),
            (" eur ", "EUR"),
            ("Jpy", "JPY"),
            ("HRK", "HRK"),
        ] {
            assert_eq!(text.parse::<Currency>().unwrap().as_str(), code);
        }
        for text in ["", "US", "USDT", "ZZZ", "€", "é1", "$"] {
            assert_eq!(text.parse::<Currency>(), Err(UnknownCurrency), "{text:?}");
        }
    }
}
