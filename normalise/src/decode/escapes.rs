//! `+` and percent escapes.

use std::borrow::Cow;

use postback_common::reason::Flag;

use super::MAX_TEXT_BYTES;
use super::blocks::{BLOCK, bits, block_at};

/// What a part of a text says.
pub(super) fn of_text<'a>(sent: &'a str, is_escaped: bool, faults: &mut Vec<Flag>) -> Cow<'a, str> {
    if is_escaped {
        return of_bytes(sent.as_bytes(), true, faults);
    }
    if sent.len() > MAX_TEXT_BYTES {
        faults.push(Flag::TextTooLong);
        return Cow::Borrowed("");
    }
    Cow::Borrowed(sent)
}

/// What a part of bytes says that may be no text.
pub(super) fn of_bytes<'a>(
    sent: &'a [u8],
    is_escaped: bool,
    faults: &mut Vec<Flag>,
) -> Cow<'a, str> {
    let bytes = if is_escaped {
        Cow::Owned(unescaped(sent))
    } else {
        Cow::Borrowed(sent)
    };
    if bytes.len() > MAX_TEXT_BYTES {
        faults.push(Flag::TextTooLong);
        return Cow::Borrowed("");
    }
    let text = match bytes {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map(Cow::Borrowed).ok(),
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Some(Cow::Owned(text)),
            Err(error) => return lossy(error.as_bytes(), faults),
        },
    };
    text.unwrap_or_else(|| lossy(sent, faults))
}

fn lossy(bytes: &[u8], faults: &mut Vec<Flag>) -> Cow<'static, str> {
    faults.push(Flag::InvalidUtf8);
    Cow::Owned(shown_lossily(bytes))
}

/// The bytes as text, broken ones as U+FFFD, in as little memory as it takes: a text that grows on
/// its way would take several times its length.
pub(crate) fn shown_lossily(bytes: &[u8]) -> String {
    const SHOWN: &str = "\u{FFFD}";
    let length = |chunk: std::str::Utf8Chunk<'_>| {
        let broken = if chunk.invalid().is_empty() {
            0
        } else {
            SHOWN.len()
        };
        chunk.valid().len() + broken
    };
    let mut text = String::with_capacity(bytes.utf8_chunks().map(length).sum());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push_str(SHOWN);
        }
    }
    text
}

/// Bytes that say something else than themselves.
pub(super) const ESCAPES: [u8; 2] = [b'%', b'+'];

fn unescaped(sent: &[u8]) -> Vec<u8> {
    let mut decoded = vec![0; sent.len()];
    // How much of `sent` is read, and how long that is decoded.
    let (mut read, mut length) = (0, 0);
    for begins in (0..sent.len()).step_by(BLOCK) {
        let mut escapes = block_at(sent, begins, |block, before| bits(block, before, ESCAPES));
        while escapes != 0 {
            let at = begins + escapes.trailing_zeros() as usize;
            escapes &= escapes - 1;
            copy(&sent[read..], &mut decoded[length..], at - read);
            length += at - read;
            (decoded[length], read) = read_one(sent, at);
            length += 1;
        }
    }
    copy(&sent[read..], &mut decoded[length..], sent.len() - read);
    decoded.truncate(length + sent.len() - read);
    decoded
}

/// Copies some bytes. What stands between two escapes is mostly shorter than a word, and a whole
/// word is copied sooner; what is behind the few bytes is written over later, or cut off.
#[inline]
fn copy(from: &[u8], to: &mut [u8], bytes: usize) {
    match (from.first_chunk::<8>(), to.first_chunk_mut()) {
        (Some(from), Some(to)) if bytes <= from.len() => *to = *from,
        _ => to[..bytes].copy_from_slice(&from[..bytes]),
    }
}

/// The byte that an escape at a place stands for, and the place behind it.
#[inline]
fn read_one(sent: &[u8], at: usize) -> (u8, usize) {
    if sent[at] == b'+' {
        return (b' ', at + 1);
    }
    match escape(&sent[at + 1..]) {
        Some(escaped) => (escaped, at + 3),
        None => (b'%', at + 1),
    }
}

/// The byte that two digits behind a `%` stand for; `None` for a broken escape.
fn escape(behind: &[u8]) -> Option<u8> {
    let [high, low, ..] = behind else {
        return None;
    };
    let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
    (high | low < 16).then_some(high << 4 | low)
}

/// The value of each hexadecimal digit; beyond 15 for other bytes.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut value: u8 = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        digits[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};
