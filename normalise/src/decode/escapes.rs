//! `+` and percent escapes.

use std::borrow::Cow;

use postback_common::reason::Flag;

use super::MAX_TEXT_BYTES;

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

/// Byte by byte: what stands between two escapes is mostly shorter than finding its end and copying
/// it at once is worth.
fn unescaped(sent: &[u8]) -> Vec<u8> {
    let mut decoded = vec![0; sent.len()];
    let mut length = 0;
    let mut rest = sent.iter();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => match escape(rest.as_slice()) {
                Some(escaped) => {
                    rest.nth(1);
                    escaped
                }
                None => b'%',
            },
            plain => *plain,
        };
        // Never longer than what was sent.
        if let Some(place) = decoded.get_mut(length) {
            *place = byte;
        }
        length += 1;
    }
    decoded.truncate(length);
    decoded
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
