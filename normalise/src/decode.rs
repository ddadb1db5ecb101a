//! A query's bytes, split and decoded: nothing here knows what a parameter means.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use postback_common::reason::Flag;

/// Most parameters that are read of one request; the rest stands in the raw record alone.
pub const MAX_PARAMETERS: usize = 200;

/// Longest name or value, in bytes after decoding; a longer one is read as empty.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// One parameter, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair<'a> {
    /// Spaces around left out: careless templates have one behind the `&`.
    pub name: Cow<'a, str>,
    /// Exactly as sent; empty where there is no `=`.
    pub value: Cow<'a, str>,
}

/// A query's parameters in their order, and what was wrong with them.
#[derive(Debug, Default)]
pub struct Decoded<'a> {
    /// At most [`MAX_PARAMETERS`].
    pub pairs: Vec<Pair<'a>>,
    /// In no particular order; may repeat.
    pub faults: Vec<Flag>,
}

/// Splits at `&` (never at `;`, which stands in values) and decodes `+` and percent escapes.
///
/// A broken escape stays as it is, and bytes that are not UTF-8 become U+FFFD.
#[must_use]
pub fn decode(query: &[u8]) -> Decoded<'_> {
    let mut decoded = Decoded {
        // About what networks send.
        pairs: Vec::with_capacity(24),
        faults: Vec::new(),
    };
    decoded.read(query);
    decoded
}

impl<'a> Decoded<'a> {
    /// Reads a query, or a form, behind what is there already.
    pub(crate) fn read(&mut self, query: &'a [u8]) {
        let decoded = self;
        let mut rest = query;
        while !rest.is_empty() {
            let end = memchr(b'&', rest).unwrap_or(rest.len());
            let (part, behind) = rest.split_at(end);
            rest = behind.get(1..).unwrap_or_default();
            if part.is_empty() {
                continue;
            }
            if decoded.is_full() {
                break;
            }
            let (name, value) = match memchr(b'=', part) {
                Some(at) => (&part[..at], &part[at + 1..]),
                None => (part, &[][..]),
            };
            let name = trimmed(text(name, &mut decoded.faults));
            let value = text(value, &mut decoded.faults);
            decoded.pairs.push(Pair { name, value });
        }
    }

    /// True, and flagged, when no further parameter is read.
    pub(crate) fn is_full(&mut self) -> bool {
        let is_full = self.pairs.len() >= MAX_PARAMETERS;
        if is_full {
            self.faults.push(Flag::TooManyParameters);
        }
        is_full
    }
}

fn text<'a>(sent: &'a [u8], faults: &mut Vec<Flag>) -> Cow<'a, str> {
    let bytes = unescaped(sent);
    if bytes.len() > MAX_TEXT_BYTES {
        faults.push(Flag::TextTooLong);
        return Cow::Borrowed("");
    }
    let text = match bytes {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map(Cow::Borrowed).ok(),
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Cow::Owned(text),
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
        chunk.valid().len()
            + if chunk.invalid().is_empty() {
                0
            } else {
                SHOWN.len()
            }
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

/// By hand, because every byte of every query passes here: the iterator of `percent-encoding` takes
/// three times as long.
fn unescaped(sent: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr2(b'%', b'+', sent) else {
        return Cow::Borrowed(sent);
    };
    let mut bytes = Vec::with_capacity(sent.len());
    let (mut plain, mut next) = (0, Some(first));
    while let Some(at) = next {
        bytes.extend_from_slice(&sent[plain..at]);
        let escaped = match &sent[at..] {
            [b'+', ..] => Some((b' ', 1)),
            [_, high, low, ..] => escaped(*high, *low).map(|byte| (byte, 3)),
            _ => None,
        };
        let (byte, length) = escaped.unwrap_or((b'%', 1));
        bytes.push(byte);
        plain = at + length;
        next = memchr2(b'%', b'+', &sent[plain..]).map(|behind| plain + behind);
    }
    bytes.extend_from_slice(&sent[plain..]);
    Cow::Owned(bytes)
}

fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(high)? * 16 + digit(low)?;
    u8::try_from(value).ok()
}

pub(crate) fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn escapes_are_read_as_percent_encoding_reads_them(sent in "([%+a-fA-F0-9 &x]|%[0-9a-fA-F]{2}){0,40}") {
            let spaces = sent.replace('+', " ");
            let expected: Vec<u8> = percent_encoding::percent_decode_str(&spaces).collect();
            prop_assert_eq!(&*unescaped(sent.as_bytes()), &expected);
        }
    }

    fn pairs(query: &[u8]) -> Vec<(String, String)> {
        let decoded = decode(query);
        decoded
            .pairs
            .into_iter()
            .map(|pair| (pair.name.into_owned(), pair.value.into_owned()))
            .collect()
    }

    #[test]
    fn parts_are_split_and_decoded_and_nothing_else() {
        type Parts = &'static [(&'static str, &'static str)];
        let cases: &[(&[u8], Parts)] = &[
            (b"", &[]),
            (b"&&", &[]),
            (b"a=1&b=2", &[("a", "1"), ("b", "2")]),
            (b"a=1;b=2", &[("a", "1;b=2")]),
            (b"a=1&+b=2&%20c%20=3", &[("a", "1"), ("b", "2"), ("c", "3")]),
            (b"a&b=&=c", &[("a", ""), ("b", ""), ("", "c")]),
            (b"a=x=y", &[("a", "x=y")]),
            (b"a=%20x+y%2Bz ", &[("a", " x y+z ")]),
            (
                b"a=100%&b=%zz%4&c=%+2",
                &[("a", "100%"), ("b", "%zz%4"), ("c", "% 2")],
            ),
            (
                b"a=caf%C3%A9&b=caf\xC3\xA9",
                &[("a", "café"), ("b", "café")],
            ),
        ];
        for (query, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect();
            assert_eq!(pairs(query), expected, "{}", query.escape_ascii());
            assert_eq!(decode(query).faults, []);
        }
    }

    #[test]
    fn broken_utf8_is_shown_and_flagged() {
        for query in [&b"a=caf%E9"[..], b"a=caf\xE9"] {
            let decoded = decode(query);
            assert_eq!(decoded.pairs[0].value, "caf\u{FFFD}");
            assert_eq!(decoded.faults, [Flag::InvalidUtf8]);
        }
    }

    #[test]
    fn bounds_are_flagged() {
        let most = ["a=1"; MAX_PARAMETERS].join("&");
        assert_eq!(
            (
                decode(most.as_bytes()).pairs.len(),
                decode(most.as_bytes()).faults
            ),
            (200, vec![])
        );
        let more = format!("{most}&b=2&c=3");
        let decoded = decode(more.as_bytes());
        assert_eq!(
            (decoded.pairs.len(), decoded.faults),
            (200, vec![Flag::TooManyParameters])
        );

        let long = format!("a={}", "x".repeat(65_536));
        assert_eq!(decode(long.as_bytes()).pairs[0].value.len(), 65_536);
        let longer = format!("{long}x&b=1");
        let decoded = decode(longer.as_bytes());
        assert_eq!(
            (&*decoded.pairs[0].value, &*decoded.pairs[1].value),
            ("", "1")
        );
        assert_eq!(decoded.faults, [Flag::TextTooLong]);
    }
}
