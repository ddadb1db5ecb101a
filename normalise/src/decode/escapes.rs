//! `+` and percent escapes.

use std::borrow::Cow;

use memchr::memchr2;
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

/// Texts between two escapes are mostly shorter than finding their end and copying them at once is
/// worth; those that are not (a long name of an article) are copied at once.
fn unescaped(sent: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(sent.len());
    let (mut rest, mut since_escape) = (sent, 0);
    while let [byte, behind @ ..] = rest {
        let (decoded, behind) = match byte {
            b'+' => (b' ', behind),
            b'%' => match escape(rest) {
                Some(decoded) => (decoded, &rest[3..]),
                None => (b'%', behind),
            },
            _ if since_escape < SHORT => {
                since_escape += 1;
                bytes.push(*byte);
                rest = behind;
                continue;
            }
            _ => {
                let length = memchr2(b'%', b'+', rest).unwrap_or(rest.len());
                bytes.extend_from_slice(&rest[..length]);
                rest = &rest[length..];
                continue;
            }
        };
        bytes.push(decoded);
        (rest, since_escape) = (behind, 0);
    }
    bytes
}

/// Bytes that are taken one by one after an escape.
const SHORT: u32 = 8;

/// The byte that an escape at the beginning stands for; `None` for a broken one.
fn escape(sent: &[u8]) -> Option<u8> {
    let [_, high, low, ..] = sent else {
        return None;
    };
    Some(digit(*high)? << 4 | digit(*low)?)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
