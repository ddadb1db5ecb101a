//! A JSON object's members as parameters.
//!
//! A member's value is its text: of a string what it says, of a number, `true` or `false` what is
//! written (so that `20.00` stays `20.00`; that a number has an exponent is noted), of `null` nothing. An object or array inside is kept
//! whole, as it is written: a network whose fields stand deeper needs a parser of its own. A string
//! with half of a surrogate pair is no text: it is kept as it is written, and fills no field.

use std::borrow::Cow;
use std::fmt;

use postback_common::reason::Flag;
use postback_common::record::Text;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::decode::{Decoded, MAX_TEXT_BYTES, Pair, trimmed};

/// The text is no JSON object, or something stands behind it. What was read before stays read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoObject;

/// Reads the members of an object behind what is there already.
pub(crate) fn read<'a>(text: &'a str, decoded: &mut Decoded<'a>) -> Result<(), NoObject> {
    each_member(text, |name, value| push(decoded, name, value))
}

/// As [`read`], of a text that does not last.
pub(crate) fn read_copied(text: &str, decoded: &mut Decoded<'_>) -> Result<(), NoObject> {
    each_member(text, |name, value| {
        push(
            decoded,
            Cow::Owned(name.into_owned()),
            match value {
                Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
                Value::Exponent(written) => Value::Exponent(Cow::Owned(written.into_owned())),
                Value::Unreadable(written) => Value::Unreadable(Cow::Owned(written.into_owned())),
                Value::TooLong => Value::TooLong,
            },
        );
    })
}

/// What a member says.
enum Value<'a> {
    Text(Cow<'a, str>),
    /// A number with an exponent, as it is written.
    Exponent(Cow<'a, str>),
    /// No text, as it is written.
    Unreadable(Cow<'a, str>),
    /// More than is read of one value.
    TooLong,
}

fn push<'a>(decoded: &mut Decoded<'a>, name: Cow<'a, str>, value: Value<'a>) {
    // The flag is one, however many members follow.
    if decoded.faults.last() == Some(&Flag::TooManyParameters) || decoded.is_full() {
        return;
    }
    let is_short = name.len() <= MAX_TEXT_BYTES;
    let name = if is_short { name } else { "".into() };
    if !is_short || matches!(value, Value::TooLong) {
        decoded.faults.push(Flag::TextTooLong);
    }
    let place = u16::try_from(decoded.pairs.len());
    let value = match value {
        Value::Text(text) => text,
        Value::Exponent(written) => {
            decoded.exponents.extend(place.ok());
            written
        }
        Value::Unreadable(written) => {
            decoded.faults.push(Flag::InvalidUtf8);
            decoded.unreadable.extend(place.ok());
            written
        }
        Value::TooLong => "".into(),
    };
    decoded.pairs.push(Pair {
        name: trimmed(name),
        value,
    });
}

fn each_member<'t>(
    text: &'t str,
    take: impl FnMut(Cow<'t, str>, Value<'t>),
) -> Result<(), NoObject> {
    // Some senders put a byte order mark before it, which is no JSON.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = reader.deserialize_map(Members(take));
    read.and_then(|()| reader.end()).map_err(|_| NoObject)
}

struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, Value<'de>)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let value = map.next_value::<&'de RawValue>()?;
            (self.0)(name.into_cow(), text_of(value.get()));
        }
        Ok(())
    }
}

fn text_of(written: &str) -> Value<'_> {
    let text = match written.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<Text<'_>>(written) {
            Ok(text) => Value::Text(text.into_cow()),
            Err(_) => Value::Unreadable(Cow::Borrowed(written)),
        },
        Some(b'n') => Value::Text(Cow::Borrowed("")),
        Some(b'-' | b'0'..=b'9') if written.contains(['e', 'E']) => {
            Value::Exponent(Cow::Borrowed(written))
        }
        _ => Value::Text(Cow::Borrowed(written)),
    };
    match text {
        Value::Text(text) | Value::Exponent(text) | Value::Unreadable(text)
            if text.len() > MAX_TEXT_BYTES =>
        {
            Value::TooLong
        }
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> (Vec<(String, String)>, Vec<Flag>, bool) {
        let mut decoded = Decoded::default();
        let is_whole = read(text, &mut decoded).is_ok();
        let mut copied = Decoded::default();
        assert_eq!(read_copied(text, &mut copied).is_ok(), is_whole);
        assert_eq!(copied, decoded);
        let pairs = decoded.pairs.into_iter();
        let pairs = pairs.map(|pair| (pair.name.into_owned(), pair.value.into_owned()));
        (pairs.collect(), decoded.faults, is_whole)
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let (pairs, faults, is_whole) = members("\u{feff}{\"a\":1}");
        assert_eq!(
            (pairs, faults, is_whole),
            (vec![("a".to_owned(), "1".to_owned())], vec![], true)
        );
    }

    #[test]
    fn values_are_what_is_written() {
        let text = r#" {"a":"x\"\u00e9", " b ":20.00,"c":1e2,"d":true,"e":null,"f":{"g":[1, 2]},"a":-0,"h":"\ud800","":""} "#;
        let (pairs, faults, is_whole) = members(text);
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let expected = [
            ("a", "x\"é"),
            ("b", "20.00"),
            ("c", "1e2"),
            ("d", "true"),
            ("e", ""),
            ("f", "{\"g\":[1, 2]}"),
            ("a", "-0"),
            ("h", "\"\\ud800\""),
            ("", ""),
        ];
        assert_eq!(
            (pairs.as_slice(), faults, is_whole),
            (&expected[..], vec![Flag::InvalidUtf8], true)
        );
        let mut decoded = Decoded::default();
        read(text, &mut decoded).unwrap();
        assert_eq!(decoded.unreadable, [7]);
        assert_eq!(decoded.exponents, [2]);
    }

    #[test]
    fn what_stands_before_a_fault_is_read() {
        for (text, count) in [
            ("", 0),
            ("[1]", 0),
            ("\"a\"", 0),
            ("{", 0),
            ("{\"a\":1", 1),
            ("{\"a\":1,", 1),
            ("{\"a\":1}}", 1),
            ("{\"a\":1,\"b\":nul}", 1),
            ("{a:1}", 0),
        ] {
            let (pairs, faults, is_whole) = members(text);
            assert_eq!(
                (pairs.len(), faults, is_whole),
                (count, vec![], false),
                "{text}"
            );
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
        let (pairs, _, is_whole) = members(&deep);
        assert!(is_whole && pairs[0].1.len() == 40_001);
    }

    #[test]
    fn bounds_are_those_of_a_query() {
        let many: Vec<String> = (0..300).map(|n| format!("\"{n}\":1")).collect();
        let (pairs, faults, is_whole) = members(&format!("{{{}}}", many.join(",")));
        assert_eq!(
            (pairs.len(), faults, is_whole),
            (200, vec![Flag::TooManyParameters], true)
        );
        let long = "x".repeat(65_537);
        let (pairs, faults, _) = members(&format!("{{\"a\":\"{long}\",\"{long}\":\"v\"}}"));
        let expected = [("a", ""), ("", "v")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(pairs, expected);
        assert_eq!(faults, [Flag::TextTooLong; 2]);
    }
}
