//! A query's bytes, split and decoded: nothing here knows what a parameter means.
//!
//! Every byte of every query passes here, so this is written by hand; what is not escaped is
//! borrowed.

mod blocks;
mod escapes;
mod marks;

use std::borrow::Cow;
use std::iter;
use std::ops::Range;

use postback_common::reason::Flag;
use postback_common::record::Payload;

pub(crate) use escapes::shown_lossily;
use marks::Marks;

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
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// At most [`MAX_PARAMETERS`].
    pub pairs: Vec<Pair<'a>>,
    /// In no particular order; may repeat.
    pub faults: Vec<Flag>,
    /// Places of pairs whose value is no text, and stands there as it was written.
    pub unreadable: Vec<u16>,
    /// Places of pairs whose value is a JSON number with an exponent, as it was written.
    pub exponents: Vec<u16>,
}

/// Splits at `&` (never at `;`, which stands in values) and decodes `+` and percent escapes.
///
/// A broken escape stays as it is, and bytes that are not UTF-8 become U+FFFD.
#[must_use]
pub fn decode(query: &[u8]) -> Decoded<'_> {
    let mut decoded = Decoded::expecting_the_usual();
    decoded.read(query);
    decoded
}

/// As [`decode`], of what a record keeps: most of it is known to be text.
pub(crate) fn decode_payload<'a>(query: &'a Payload<'_>) -> Decoded<'a> {
    match query {
        Payload::Utf8(text) => {
            let mut decoded = Decoded::expecting_the_usual();
            decoded.read_text(text);
            decoded
        }
        Payload::Bytes(bytes) => decode(bytes),
    }
}

impl<'a> Decoded<'a> {
    fn expecting_the_usual() -> Self {
        Self {
            // About what networks send; beyond 1 KiB, allocators take a longer way.
            pairs: Vec::with_capacity(20),
            faults: Vec::new(),
            unreadable: Vec::new(),
            exponents: Vec::new(),
        }
    }

    fn read_text(&mut self, query: &'a str) {
        self.split(query.as_bytes(), |decoded, name, value| {
            let sent = (&query[name.place], &query[value.place]);
            let is_escaped = name.is_escaped | value.is_escaped;
            if is_escaped || sent.0.len() + sent.1.len() > MAX_TEXT_BYTES {
                let faults = &mut decoded.faults;
                let name = escapes::of_text(sent.0, name.is_escaped, faults);
                let value = escapes::of_text(sent.1, value.is_escaped, faults);
                decoded.push(|| trimmed(name), || value);
            } else {
                let (name, value) = (trim(sent.0), sent.1);
                decoded.push(|| Cow::Borrowed(name), || Cow::Borrowed(value));
            }
        });
    }

    /// Reads a query, or a form, behind what is there already.
    pub(crate) fn read(&mut self, query: &'a [u8]) {
        match str::from_utf8(query) {
            Ok(text) => self.read_text(text),
            Err(_) => self.split(query, |decoded, name, value| {
                let mut text = |part: Part| {
                    escapes::of_bytes(&query[part.place], part.is_escaped, &mut decoded.faults)
                };
                let (name, value) = (text(name), text(value));
                decoded.push(|| trimmed(name), || value);
            }),
        }
    }

    /// The pair is made where it stays: `Vec::push` would copy it from the stack, where it was just
    /// written in smaller pieces, and for such a copy the processor waits.
    #[inline]
    fn push(&mut self, name: impl FnOnce() -> Cow<'a, str>, value: impl FnOnce() -> Cow<'a, str>) {
        let made = iter::once((name, value)).map(|(name, value)| Pair {
            name: name(),
            value: value(),
        });
        self.pairs.extend(made);
    }

    /// `take` is given each name and its value.
    #[inline]
    fn split(&mut self, query: &[u8], take: impl Fn(&mut Self, Part, Part)) {
        let mut marks = Marks::of(query);
        let mut begins = 0;
        while let Some(mark) = marks.next() {
            let name = Part {
                place: begins..mark.place,
                is_escaped: mark.is_behind_escape,
            };
            let value = match query.get(mark.place) {
                Some(b'=') => Part::value(mark.place + 1, query, &mut marks),
                _ => Part::empty(mark.place),
            };
            begins = value.place.end + 1;
            if name.place.start == value.place.end {
                continue;
            }
            if self.is_full() {
                break;
            }
            take(self, name, value);
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

/// A name or value: where it stands, and whether something in it is escaped.
struct Part {
    place: Range<usize>,
    is_escaped: bool,
}

impl Part {
    /// A value, from `start` to the next `&` or the end; any `=` is part of it.
    #[inline]
    fn value(start: usize, query: &[u8], marks: &mut Marks<'_>) -> Self {
        let mut value = Self::empty(start);
        for mark in marks {
            value.is_escaped |= mark.is_behind_escape;
            value.place.end = mark.place;
            if query.get(mark.place) != Some(&b'=') {
                break;
            }
        }
        value
    }

    fn empty(at: usize) -> Self {
        Self {
            place: at..at,
            is_escaped: false,
        }
    }
}

/// Without the spaces around it.
#[inline]
pub(crate) fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_trim(&text) {
        return text;
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// As [`str::trim`]. Nearly nothing has spaces around it, and a look at both ends says so.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    if is_trim(text) { text } else { text.trim() }
}

/// True only where no spaces are around.
#[inline]
fn is_trim(text: &str) -> bool {
    let is_plain = |byte: Option<&u8>| byte.is_none_or(|byte| matches!(byte, 0x21..=0x7e));
    let bytes = text.as_bytes();
    is_plain(bytes.first()) && is_plain(bytes.last())
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
            let mut faults = Vec::new();
            prop_assert_eq!(escapes::of_text(&sent, true, &mut faults), String::from_utf8_lossy(&expected));
            let faults_of_text = std::mem::take(&mut faults);
            prop_assert_eq!(escapes::of_bytes(sent.as_bytes(), true, &mut faults), String::from_utf8_lossy(&expected));
            prop_assert_eq!(faults, faults_of_text);
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
