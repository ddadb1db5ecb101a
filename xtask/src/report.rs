//! Lines that say what goes on, on standard error.

/// A step that begins or goes on.
pub(crate) fn step(line: &str) {
    eprintln!("{line}");
}

/// Bytes for a person: `3.4 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut whole = bytes;
    let mut tenths = 0;
    let mut unit = 0;
    while whole >= 1000 && unit + 1 < UNITS.len() {
        tenths = whole % 1000 / 100;
        whole /= 1000;
        unit += 1;
    }
    if unit == 0 {
        format!("{whole} B")
    } else {
        format!("{whole}.{tenths} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_for_a_person() {
        assert_eq!(super::bytes(999), "999 B");
        assert_eq!(super::bytes(1_000), "1.0 kB");
        assert_eq!(super::bytes(3_450_000), "3.4 MB");
        assert_eq!(super::bytes(1_999_999_999), "1.9 GB");
    }
}
