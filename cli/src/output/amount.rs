//! Bytes and times for people.

use jiff::SignedDuration;

/// `3.4 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A length of time in seconds: `40 ms`, `1.5 s`, and from ten seconds on as [`age`]. Clocks of two
/// hosts can make it negative.
pub(crate) fn span(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let length = seconds.abs();
    if length < 0.9995 {
        return format!("{sign}{:.0} ms", length * 1e3);
    }
    if length < 9.95 {
        return format!("{sign}{length:.1} s");
    }
    // Far below 2^53.
    #[expect(clippy::cast_possible_truncation, reason = "rounded to whole seconds")]
    let whole = SignedDuration::from_secs(length.round() as i64);
    format!("{sign}{}", age(whole))
}

/// `3 d 4 h`, `5 min 6 s`, `7 s`: the two largest units. What lies ahead, by a clock that was set
/// back, is `0 s`.
pub(crate) fn age(duration: SignedDuration) -> String {
    let seconds = u64::try_from(duration.as_secs()).unwrap_or(0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(unit, _)| seconds >= *unit);
    let Some(first) = first else {
        return "0 s".to_owned();
    };
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, name) in units.iter().skip(first).take(2) {
        if left >= *unit {
            parts.push(format!("{} {name}", left / unit));
        }
        left %= unit;
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_the_fitting_unit() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (3_450_000, "3.4 MB"),
            (999_999, "999.9 kB"),
            (1_000_000, "1.0 MB"),
            (1_999_999_999, "1.9 GB"),
            (10_737_418_240, "10.7 GB"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn spans_have_the_fitting_unit() {
        let cases = [
            (0.0, "0 ms"),
            (0.0404, "40 ms"),
            (0.9996, "1.0 s"),
            (1.54, "1.5 s"),
            (9.96, "10 s"),
            (306.2, "5 min 6 s"),
            (-0.5, "-500 ms"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(span(seconds), shown);
        }
    }

    #[test]
    fn ages_have_their_two_largest_units() {
        let cases = [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (306, "5 min 6 s"),
            (3_605, "1 h"),
            (273_600, "3 d 4 h"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(age(SignedDuration::from_secs(seconds)), shown);
        }
    }
}
