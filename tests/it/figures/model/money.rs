//! Exact money: ten-thousandths, as text and back.

/// `-5.4000`.
pub(crate) fn shown(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let magnitude = units.unsigned_abs();
    format!("{sign}{}.{:04}", magnitude / 10_000, magnitude % 10_000)
}

/// With so many decimals, as networks write it.
pub(crate) fn written(units: i128, decimals: usize) -> String {
    let all = shown(units);
    let (kept, cut) = all.split_at(all.len() - (4 - decimals));
    assert!(
        cut.bytes().all(|digit| digit == b'0'),
        "{all} to {decimals}"
    );
    kept.trim_end_matches('.').to_owned()
}

/// What a report shows.
pub(crate) fn read(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(
        (2..=4).contains(&places.len()),
        "{text}: two to four decimals"
    );
    sign * format!("{whole}{places:0<4}").parse::<i128>().unwrap()
}
