//! Texts of requests without the values of secret parameters.

use std::iter;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use postback_common::secret::HIDDEN;
use postback_normalise::mask::{looks_like_json, unless_named, within};

/// What would end a value, or change it, in a query or form.
const IN_VALUE: &AsciiSet = &CONTROLS.add(b'%').add(b'&').add(b'+').add(b'#');

/// How often escapes are undone: some senders escape what is escaped already.
const MOST_ESCAPES: usize = 4;

/// Whose values are not shown.
#[derive(Clone, Copy)]
pub(super) struct Secrets<'a> {
    /// Names that the configuration or the network calls secret.
    pub(super) told: &'a dyn Fn(&str) -> bool,
    /// Names that only sound so. Words of a text often do, so there it takes a value behind them.
    pub(super) guessed: &'a dyn Fn(&str) -> bool,
}

impl Secrets<'_> {
    fn has(self, name: &str) -> bool {
        (self.told)(name) || (self.guessed)(name)
    }

    /// As [`has`](Self::has), also for the last part of `user.token`.
    fn has_word(self, word: &str) -> bool {
        let last = word.rsplit('.').next().unwrap_or_default();
        self.has(word) || self.has(last)
    }

    /// JSON without secret members; `None` where nothing had to be masked.
    fn within(self, text: &str) -> Option<String> {
        within(text, &|name| self.has(name))
    }

    /// True for a text that cannot be taken apart and names a secret.
    fn are_in(self, text: &str) -> bool {
        unless_named(text, self.told).is_some() || self.are_set_in(text)
    }

    /// True where a secret's name stands in a text with a value behind it: `…;token=x`,
    /// `"token": "x"`, `<token>x`, a multipart form's `name="token"`. The mere word is no secret.
    fn are_set_in(self, text: &str) -> bool {
        let mut rest = text;
        while let Some(begin) = rest.find(is_of_name) {
            rest = &rest[begin..];
            let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            let is_part = ["\"\r", "\"\n", "\";"];
            let is_part = is_part.iter().any(|end| behind.starts_with(end));
            let value = behind.trim_start_matches([' ', '\t', '"', '\'', '\\', ']']);
            if (is_part || value.starts_with(['=', ':', '>'])) && self.has_word(word) {
                return true;
            }
            rest = behind;
        }
        false
    }
}

/// `a=1&token=x` → `a=1&token=[hidden]`; also inside a value that is JSON.
pub(super) fn query(query: &str, secrets: Secrets<'_>) -> String {
    // JSON in place of pairs: what looks like their `&` and `=` separates nothing.
    if let Some(masked) = readings(query).find_map(|text| secrets.within(&text)) {
        return escaped(&masked);
    }
    let part = |part: &str| match part.split_once('=') {
        Some((name, value)) => pair(part, name, value, secrets),
        None => alone(part, secrets),
    };
    query.split('&').map(part).collect::<Vec<_>>().join("&")
}

/// A parameter's value as it was read: of `token` none, of others what no secret stands in.
pub(super) fn value(name: &str, value: &str, secrets: Secrets<'_>) -> String {
    let mut words = name.split(|c| !is_of_name(c));
    if secrets.has(name.trim()) || has_zero(name) || words.any(|word| secrets.has_word(word)) {
        return HIDDEN.to_owned();
    }
    for text in iter::once(value.to_owned()).chain(readings(value)) {
        if let Some(masked) = secrets.within(&text) {
            return masked;
        }
        if has_zero(&text) || secrets.are_set_in(&text) {
            return HIDDEN.to_owned();
        }
    }
    value.to_owned()
}

/// What has a `=`.
fn pair(part: &str, name: &str, value: &str, secrets: Secrets<'_>) -> String {
    for text in readings(name) {
        if secrets.has(text.trim()) {
            return format!("{name}={HIDDEN}");
        }
        let mut words = text.split(|c| !is_of_name(c));
        if has_zero(&text) || words.any(|word| secrets.has_word(word)) {
            // `token[]` is still a name; behind anything else a value may stand already.
            let is_name = |c| is_of_name(c) || matches!(c, '[' | ']');
            return if text.chars().all(is_name) {
                format!("{name}={HIDDEN}")
            } else {
                HIDDEN.to_owned()
            };
        }
    }
    for text in readings(value) {
        if let Some(masked) = secrets.within(&text) {
            return format!("{name}={}", escaped(&masked));
        }
        if has_zero(&text) || secrets.are_set_in(&text) {
            return format!("{name}={HIDDEN}");
        }
    }
    part.to_owned()
}

/// What has no `=`: a name without a value, or no pair at all.
fn alone(part: &str, secrets: Secrets<'_>) -> String {
    let hides = |text: String| {
        let is_bare_name = secrets.has(&text) && text.chars().all(is_of_name);
        has_zero(&text) || !is_bare_name && secrets.are_in(&text)
    };
    if readings(part).any(hides) {
        HIDDEN.to_owned()
    } else {
        part.to_owned()
    }
}

/// The text of a body, whatever it is.
pub(super) fn body(body: &str, content_type: &str, secrets: Secrets<'_>) -> String {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_form =
        essence.is_empty() || essence.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let shown = || body.to_owned();
    if has_zero(body) {
        HIDDEN.to_owned()
    } else if looks_like_json(body) {
        secrets.within(body).unwrap_or_else(shown)
    } else if is_form {
        query(body, secrets)
    } else if secrets.are_in(body) || readings(body).any(|text| secrets.are_in(&text)) {
        HIDDEN.to_owned()
    } else {
        shown()
    }
}

/// Between the letters of a name it keeps the name from being found: text in UTF-16 is full of it.
fn has_zero(text: &str) -> bool {
    text.contains('\0')
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// The text without its escapes, then without those that come to light.
fn readings(text: &str) -> impl Iterator<Item = String> {
    let next = |text: &String| Some(unescaped(text)).filter(|next| next != text);
    iter::successors(Some(unescaped(text)), next).take(MOST_ESCAPES)
}

fn unescaped(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn escaped(value: &str) -> String {
    utf8_percent_encode(value, IN_VALUE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a source has them.
    const TOLD: Secrets<'_> = Secrets {
        told: &|name| ["token", "signature"].contains(&name),
        guessed: &|name| name == "api_key",
    };

    #[test]
    fn secret_values_are_masked_however_their_names_are_written() {
        let shown = query("a=1&token=x%26y&&b& to%6ben=z=z&token&tokens=1", TOLD);
        let expected = format!("a=1&token={HIDDEN}&&b& to%6ben={HIDDEN}&token&tokens=1");
        assert_eq!(shown, expected);
        let all = Secrets {
            told: &|_| true,
            ..TOLD
        };
        assert_eq!(query("", all), "");
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
            assert_eq!(body(sent, content_type, TOLD), expected);
        }
        let deep = format!("{}{{\"token\":1}}{}", "[".repeat(100), "]".repeat(100));
        assert!(!body(&deep, json, TOLD).contains("token"));
    }

    #[test]
    fn names_are_found_in_disguise() {
        let cases = [
            ("token[]=CANARY&a=1", "token[]=[hidden]&a=1"),
            ("x[token]=CANARY", "x[token]=[hidden]"),
            ("x.token=CANARY", "x.token=[hidden]"),
            ("to%256ben=CANARY", "to%256ben=[hidden]"),
            ("to%25256ben=CANARY", "to%25256ben=[hidden]"),
            ("api_key=CANARY", "api_key=[hidden]"),
            ("a=1;token=CANARY;order_id=s16", "a=[hidden]"),
            ("a=1;to%6ben=CANARY&b=2", "a=[hidden]&b=2"),
            ("a=1;api_key=CANARY", "a=[hidden]"),
            ("a=https%3A%2F%2Fx%2F%3Ftoken%3DCANARY", "a=[hidden]"),
            ("b;token=CANARY", HIDDEN),
            ("token:CANARY;a=1", HIDDEN),
            ("token%3DCANARY=1", HIDDEN),
            ("a&token:CANARY&b=1", "a&[hidden]&b=1"),
            ("<token>CANARY</token>", HIDDEN),
            ("\u{fffd}\u{fffd}token=CANARY", HIDDEN),
            ("%FF%FE%00token=CANARY", HIDDEN),
            (
                "t%00o%00k%00e%00n%00=%00C%00A%00N%00A%00R%00Y&a=1",
                "[hidden]&a=1",
            ),
            ("a=t%00o%00k%00e%00n%00%3D%00C%00A", "a=[hidden]"),
            (
                "%7B%22a%22%3A1%2C%22token%22%3A%20%22CANARY%22%7D",
                r#"{"a":1,"token":"[hidden]"}"#,
            ),
            (
                r#"{"token":"a&b=CANARY","c":"x=y"}"#,
                r#"{"token":"[hidden]","c":"x=y"}"#,
            ),
            (
                "a=%257B%2522token%2522%253A%2522CANARY%2522%257D",
                r#"a={"token":"[hidden]"}"#,
            ),
            ("%7B%22token%22%3A%22CANARY", HIDDEN),
            (
                "Content-Disposition: form-data; name=\"token\"\r\n\r\nCANARY",
                "Content-Disposition: form-data; name=[hidden]",
            ),
        ];
        for (sent, expected) in cases {
            assert_eq!(query(sent, TOLD), expected);
            let form = body(sent, "application/x-www-form-urlencoded", TOLD);
            assert!(!form.contains("CANARY"), "{form}");
            let other = body(sent, "text/plain", TOLD);
            assert!(!other.contains("CANARY"), "{other}");
        }
    }

    #[test]
    fn a_long_value_is_looked_into() {
        let long = "x".repeat(100_000);
        let shown = query(&format!(r#"a={{"b":"{long}","token":"CANARY"}}"#), TOLD);
        assert_eq!(shown, format!(r#"a={{"b":"{long}","token":"[hidden]"}}"#));
    }

    #[test]
    fn a_body_in_utf_16_or_behind_other_bytes_is_hidden() {
        let wide: String = r#"{"a":1,"token":"CANARY"}"#.chars().flat_map(|c| [c, '\0']).collect();
        for content_type in ["application/json", "", "text/plain"] {
            assert_eq!(body(&wide, content_type, TOLD), HIDDEN);
            let behind = body("\u{fffd}\u{fffd}\0token=CANARY", content_type, TOLD);
            assert_eq!(behind, HIDDEN);
        }
    }

    #[test]
    fn what_is_no_secret_is_shown_as_it_was_sent() {
        for sent in [
            "a=token&b=the+signature+pen&c=token%20ring",
            "u1=a%2Bb%25c&o=M19;x=1&name=a\u{fffd}b&d=12:30:00&e=50%&&f",
            "a=%7B%22b%22%3A%22token%22%7D",
            "items[0][sku]=tokens&a=my_token_ring",
            "token",
            "api_key&a=1",
            "%7B%22a%22%3A%221%26b%3D2%22%7D",
        ] {
            assert_eq!(query(sent, TOLD), sent);
        }
        let plain = "no api_key was sent";
        assert_eq!(body(plain, "text/plain", TOLD), plain);
    }
}
