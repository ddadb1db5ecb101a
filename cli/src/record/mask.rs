//! Texts of requests without the values of secret parameters.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use postback_common::record::Text;
use postback_common::secret::HIDDEN;
use postback_normalise::decode;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Objects within objects that are looked into; what stands deeper is hidden as a whole.
const DEEPEST: usize = 64;

/// What would end a value, or change it, in a query or form.
const IN_VALUE: &AsciiSet = &CONTROLS.add(b'%').add(b'&').add(b'+').add(b'#');

/// `a=1&token=x` → `a=1&token=[hidden]`; also inside a value that is JSON.
pub(super) fn query(query: &str, is_secret: &dyn Fn(&str) -> bool) -> String {
    let part = |part: &str| {
        let Some((name, _)) = part.split_once('=') else {
            return part.to_owned();
        };
        let decoded = decode::decode(part.as_bytes());
        let pair = decoded.pairs.first();
        if pair.is_some_and(|pair| is_secret(&pair.name)) {
            return format!("{name}={HIDDEN}");
        }
        match pair.and_then(|pair| within(&pair.value, is_secret)) {
            Some(masked) => format!("{name}={}", utf8_percent_encode(&masked, IN_VALUE)),
            None => part.to_owned(),
        }
    };
    query.split('&').map(part).collect::<Vec<_>>().join("&")
}

/// The text of a body, whatever it is.
pub(super) fn body(body: &str, content_type: &str, is_secret: &dyn Fn(&str) -> bool) -> String {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_form =
        essence.is_empty() || essence.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    if looks_like_json(body) {
        within(body, is_secret).unwrap_or_else(|| body.to_owned())
    } else if is_form {
        query(body, is_secret)
    } else {
        unless_named(body, is_secret).unwrap_or_else(|| body.to_owned())
    }
}

fn looks_like_json(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_ascii_start();
    text.starts_with(['{', '['])
}

/// A text that looks like JSON, where something in it had to be masked.
fn within(text: &str, is_secret: &dyn Fn(&str) -> bool) -> Option<String> {
    if !looks_like_json(text) {
        return None;
    }
    let json = text.trim_start_matches('\u{feff}');
    let masked = serde_json::from_str::<&RawValue>(json)
        .ok()
        .and_then(|value| masked(value, 0, is_secret));
    match masked {
        // As it is written, where nothing had to be masked.
        Some(masked) => masked.contains(HIDDEN).then_some(masked),
        None => unless_named(text, is_secret),
    }
}

/// One value as it is written, masked; `None` where it is not whole after all.
fn masked(value: &RawValue, depth: usize, is_secret: &dyn Fn(&str) -> bool) -> Option<String> {
    let written = value.get();
    match written.as_bytes().first() {
        Some(b'{' | b'[') if depth >= DEEPEST => Some(quoted_hidden()),
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(written).ok()?;
            let member = |(name, value): (Text<'_>, &RawValue)| {
                let shown = if is_secret(name.trim()) {
                    quoted_hidden()
                } else {
                    masked(value, depth + 1, is_secret)?
                };
                let name = serde_json::to_string(&*name).ok()?;
                Some(format!("{name}:{shown}"))
            };
            let members: Option<Vec<_>> = members.0.into_iter().map(member).collect();
            Some(format!("{{{}}}", members?.join(",")))
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(written).ok()?;
            let elements = elements
                .into_iter()
                .map(|element| masked(element, depth + 1, is_secret));
            let elements: Option<Vec<_>> = elements.collect();
            Some(format!("[{}]", elements?.join(",")))
        }
        // A text may hold JSON itself.
        Some(b'"') => {
            let text: Option<Text<'_>> = serde_json::from_str(written).ok();
            let inner = text.and_then(|text| within(&text, is_secret));
            inner.map_or_else(
                || Some(written.to_owned()),
                |inner| serde_json::to_string(&inner).ok(),
            )
        }
        _ => Some(written.to_owned()),
    }
}

/// An object's members in their order, each as often as it stands there.
struct Members<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

fn quoted_hidden() -> String {
    format!("\"{HIDDEN}\"")
}

/// What cannot be taken apart is hidden whole where it names a secret, or may do so in disguise.
fn unless_named(text: &str, is_secret: &dyn Fn(&str) -> bool) -> Option<String> {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut words = text.split(|c: char| !is_of_name(c));
    (text.contains("\\u") || words.any(is_secret)).then(|| HIDDEN.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_token(name: &str) -> bool {
        name == "token"
    }

    #[test]
    fn secret_values_are_masked_however_their_names_are_written() {
        let shown = query("a=1&token=x%26y&&b& to%6ben=z=z&token&tokens=1", &is_token);
        let expected = format!("a=1&token={HIDDEN}&&b& to%6ben={HIDDEN}&token&tokens=1");
        assert_eq!(shown, expected);
        assert_eq!(query("", &|_| true), "");
    }

    #[test]
    fn bodies_are_masked_wherever_the_name_stands() {
        let json = "application/json";
        let cases = [
            (
                json,
                r#" {"a": 1.50, "b": ["x"]} "#,
                r#" {"a": 1.50, "b": ["x"]} "#,
            ),
            (
                json,
                r#"{"a":1.50,"token":"CANARY"}"#,
                r#"{"a":1.50,"token":"[hidden]"}"#,
            ),
            (
                json,
                r#"{"a":{"b":[{"token":{"x":"CANARY"}},2]}}"#,
                r#"{"a":{"b":[{"token":"[hidden]"},2]}}"#,
            ),
            (
                json,
                r#"{"to\u006ben":"CANARY","token":"CANARY"}"#,
                r#"{"token":"[hidden]","token":"[hidden]"}"#,
            ),
            (
                json,
                r#"{"a":"{\"token\":\"CANARY\"}"}"#,
                r#"{"a":"{\"token\":\"[hidden]\"}"}"#,
            ),
            (json, r#"{"a":1,"token":"CANARY"#, HIDDEN),
            (json, r#"{"a":1,"to\u006ben":"CANARY"#, HIDDEN),
            (json, r#"{"a":1,"b":"x"#, r#"{"a":1,"b":"x"#),
            ("", "a=1&token=CANARY", "a=1&token=[hidden]"),
            (
                "",
                "\u{feff}[{\"token\":\"CANARY\"}]",
                r#"[{"token":"[hidden]"}]"#,
            ),
            (
                "application/x-www-form-urlencoded; charset=utf-8",
                "a=%7B%22b%22%3A%22x%26y%22%2C%22token%22%3A%22CANARY%22%7D&c=%31",
                r#"a={"b":"x%26y","token":"[hidden]"}&c=%31"#,
            ),
            ("text/xml", "<a>1</a>", "<a>1</a>"),
            ("text/xml", "<token>CANARY</token>", HIDDEN),
        ];
        for (content_type, sent, expected) in cases {
            assert_eq!(body(sent, content_type, &is_token), expected);
        }
        let deep = format!("{}{{\"token\":1}}{}", "[".repeat(100), "]".repeat(100));
        assert!(!body(&deep, json, &is_token).contains("token"));
    }
}
