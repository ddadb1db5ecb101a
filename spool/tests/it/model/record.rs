//! Records that can be told apart wherever they lie.

use postback_spool::disk::Dice;

/// A text that occurs nowhere else, the number, and filler that tempts the reader.
const SIGN: &[u8; 8] = b"\0RECORD\0";

pub(super) fn record(number: u64, dice: &mut Dice) -> Vec<u8> {
    let mut record = [&SIGN[..], &number.to_le_bytes()].concat();
    for _ in 0..dice.below(8) * dice.below(16) {
        match dice.below(3) {
            0 => record.extend_from_slice(&dice.bits().to_le_bytes()),
            1 => record.extend_from_slice(b"\xF5PB\x0D\x01\0\0\0"),
            _ => record.extend_from_slice(&[0; 8]),
        }
    }
    record
}

pub(super) fn number(record: &[u8]) -> Option<u64> {
    let rest = record.strip_prefix(&SIGN[..])?;
    Some(u64::from_le_bytes(*rest.first_chunk()?))
}

/// Where records lie in a segment, found by their sign: each frame from 32 bytes before its record
/// to 32 bytes before the next, or to the end.
pub(super) fn frames(bytes: &[u8]) -> Vec<(u64, std::ops::Range<usize>)> {
    let signs: Vec<usize> = bytes
        .windows(SIGN.len())
        .enumerate()
        .filter(|(_, window)| window == SIGN)
        .map(|(at, _)| at)
        .collect();
    let ends = signs.iter().skip(1).map(|next| next - 32);
    let ends = ends.chain([bytes.len()]);
    signs
        .iter()
        .zip(ends)
        .filter_map(|(sign, end)| Some((number(&bytes[*sign..])?, sign - 32..end)))
        .collect()
}
