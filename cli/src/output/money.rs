//! Money as people and programs read it.

/// Ten-thousandths in one.
const ONE: u128 = 10_000;

/// Writes ten-thousandths of a currency's unit exactly: at least two decimals, up to four, no
/// separators of thousands. Two for every currency, also where a coin has none (JPY) or three (KWD):
/// a report's columns stay comparable, and nothing is rounded.
pub(crate) fn money(units: i128) -> String {
    money_to(units, decimals(units))
}

/// The same with that many decimals: no fewer than [`decimals`], or it would not be exact.
pub(super) fn money_to(units: i128, decimals: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let (whole, places) = (units.unsigned_abs() / ONE, units.unsigned_abs() % ONE);
    let places = format!("{places:04}");
    let kept = places.get(..decimals).unwrap_or(&places);
    format!("{sign}{whole}.{kept}")
}

/// Decimals that an exact amount needs: 2, 3 or 4.
pub(super) const fn decimals(units: i128) -> usize {
    if units % 100 == 0 {
        2
    } else if units % 10 == 0 {
        3
    } else {
        4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_and_has_two_to_four_decimals() {
        let cases = [
            (0, "0.00"),
            (1, "0.0001"),
            (-1, "-0.0001"),
            (10, "0.001"),
            (100, "0.01"),
            (-54_000, "-5.40"),
            (1_800_000, "180.00"),
            (12_345, "1.2345"),
            (12_340, "1.234"),
            (12_300, "1.23"),
            (10_000, "1.00"),
            (99_999_999_999_999_999, "9999999999999.9999"),
            (i128::MIN, "-17014118346046923173168730371588410.5728"),
            (i128::MAX, "17014118346046923173168730371588410.5727"),
        ];
        for (units, text) in cases {
            assert_eq!(money(units), text);
        }
    }
}
