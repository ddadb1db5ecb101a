//! Texts of requests without the values of secret parameters.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use postback_common::secret::HIDDEN;
use postback_normalise::decode;
use postback_normalise::mask::{looks_like_json, unless_named, within};

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
