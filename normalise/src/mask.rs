//! JSON without the values of secret members.

use std::fmt;

use postback_common::record::Text;
use postback_common::secret::HIDDEN;
use serde::de::{self, Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Objects within objects that are looked into; what stands deeper is hidden as a whole.
const DEEPEST: usize = 64;

/// As a member's value.
const QUOTED_HIDDEN: &str = "\"[hidden]\"";

/// True for what begins as an object or a list does.
#[must_use]
pub fn looks_like_json(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_ascii_start();
    text.starts_with(['{', '['])
}

/// A text that looks like JSON without the values of secret members, however deep they stand; `None`
/// where nothing had to be masked.
#[must_use]
pub fn within(text: &str, is_secret: &dyn Fn(&str) -> bool) -> Option<String> {
    if !looks_like_json(text) {
        return None;
    }
    let json = text.trim_start_matches('\u{feff}');
    // The word for one hidden value may be longer than the value; more of them are rare.
    let mut masked = Vec::with_capacity(json.len() + QUOTED_HIDDEN.len());
    let whole = serde_json::from_str::<&RawValue>(json);
    let whole = whole.and_then(|value| write_masked(value, 0, is_secret, &mut masked));
    match (whole, String::from_utf8(masked)) {
        // As it is written, where nothing had to be masked.
        (Ok(()), Ok(masked)) => masked.contains(HIDDEN).then_some(masked),
        _ => unless_named(text, is_secret),
    }
}

/// One value as it is written, masked; an error where it is not whole after all.
fn write_masked(
    value: &RawValue,
    depth: usize,
    is_secret: &dyn Fn(&str) -> bool,
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let written = value.get();
    let inside = Inside {
        depth,
        is_secret,
        out,
    };
    match written.as_bytes().first() {
        Some(b'{' | b'[') if depth >= DEEPEST => {
            inside.out.extend(QUOTED_HIDDEN.as_bytes());
            Ok(())
        }
        Some(b'{' | b'[') => {
            let mut json = serde_json::Deserializer::from_str(written);
            json.deserialize_any(inside)
        }
        // A text may hold JSON itself.
        Some(b'"') => {
            let text = serde_json::from_str::<Text<'_>>(written)?;
            match within(&text, is_secret) {
                Some(masked) => serde_json::to_writer(out, &masked)?,
                None => out.extend(written.as_bytes()),
            }
            Ok(())
        }
        _ => {
            out.extend(written.as_bytes());
            Ok(())
        }
    }
}

/// The members of an object or list, written one after the other: none is kept.
struct Inside<'a> {
    depth: usize,
    is_secret: &'a dyn Fn(&str) -> bool,
    out: &'a mut Vec<u8>,
}

impl Inside<'_> {
    fn write<E: de::Error>(&mut self, value: &RawValue) -> Result<(), E> {
        let written = write_masked(value, self.depth + 1, self.is_secret, self.out);
        written.map_err(E::custom)
    }
}

impl<'de> Visitor<'de> for Inside<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
        self.out.push(b'{');
        let mut separator = "";
        while let Some(name) = map.next_key::<Text<'_>>()? {
            self.out.extend(separator.as_bytes());
            serde_json::to_writer(&mut *self.out, &*name).map_err(M::Error::custom)?;
            self.out.push(b':');
            let value = map.next_value::<&RawValue>()?;
            if (self.is_secret)(name.trim()) {
                self.out.extend(QUOTED_HIDDEN.as_bytes());
            } else {
                self.write(value)?;
            }
            separator = ",";
        }
        self.out.push(b'}');
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(mut self, mut list: S) -> Result<(), S::Error> {
        self.out.push(b'[');
        let mut separator = "";
        while let Some(value) = list.next_element::<&RawValue>()? {
            self.out.extend(separator.as_bytes());
            self.write(value)?;
            separator = ",";
        }
        self.out.push(b']');
        Ok(())
    }
}

/// What cannot be taken apart is hidden whole where it names a secret, or may do so in disguise.
#[must_use]
pub fn unless_named(text: &str, is_secret: &dyn Fn(&str) -> bool) -> Option<String> {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut words = text.split(|c: char| !is_of_name(c));
    (text.contains("\\u") || words.any(is_secret)).then(|| HIDDEN.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_value_is_told_as_everywhere() {
        assert_eq!(QUOTED_HIDDEN, format!("\"{HIDDEN}\""));
    }

    #[test]
    fn secret_members_are_masked_however_deep_they_stand() {
        let masked = |text: &str| within(text, &|name| name == "token");
        let cases = [
            (r#"{"a":1.50,"b":["x"]}"#, None),
            ("token", None),
            (
                r#"[{"a":{"token":[1]}},2]"#,
                Some(r#"[{"a":{"token":"[hidden]"}},2]"#),
            ),
            (
                r#"{"a":"{\"token\":\"CANARY\"}"}"#,
                Some(r#"{"a":"{\"token\":\"[hidden]\"}"}"#),
            ),
            (r#"{"a":1,"token":"CANARY"#, Some(HIDDEN)),
            (r#"{"a":1,"b":"x"#, None),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text).as_deref(), expected, "{text}");
        }
    }
}
