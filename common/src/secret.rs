//! Text that must never be printed: URL keys, passwords, tokens.

use std::fmt;

use serde::{Serialize, Serializer};

/// What stands in place of a secret wherever one would be printed.
pub const HIDDEN: &str = "[hidden]";

/// Words of a name whose value is a secret, whatever the network says of it.
const SECRET_WORDS: [&str; 8] = [
    "auth",
    "authorization",
    "credentials",
    "hmac",
    "pass",
    "pwd",
    "sig",
    "sign",
];

/// What such a name holds anywhere.
const SECRET_PARTS: [&str; 6] = [
    "passphrase",
    "passwd",
    "password",
    "secret",
    "signature",
    "token",
];

/// Whether a parameter's name says that its value is a secret: `apiKey`, `access_token`, `sig`.
/// Only a guess, for what nobody has described: it masks rather too much.
#[must_use]
pub fn sounds_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    lower.ends_with("key")
        || SECRET_PARTS.iter().any(|part| lower.contains(part))
        || words.any(|word| word == "key" || SECRET_WORDS.contains(&word))
}

/// A query as it is written, without the values of parameters whose name
/// [`sounds_secret`]: `a=1&token=x` → `a=1&token=[hidden]`. A name is understood as a receiver would,
/// so `to%6ben` is one of them.
#[must_use]
pub fn masked_query(query: &str) -> String {
    let part = |part: &str| match part.split_once('=') {
        Some((name, _)) if sounds_secret(&decoded(name)) => format!("{name}={HIDDEN}"),
        _ => part.to_owned(),
    };
    query.split('&').map(part).collect::<Vec<_>>().join("&")
}

/// A text with its `%6b` and `+` undone. Only for guesses like the one above: what is no text
/// afterwards is replaced.
pub(crate) fn decoded(name: &str) -> String {
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let escaped = |behind: &[u8]| match behind {
        [high, low, ..] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    let mut rest = name.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let [first, behind @ ..] = rest {
        let byte = (*first == b'%').then(|| escaped(behind)).flatten();
        rest = byte.map_or(behind, |_| &behind[2..]);
        bytes.push(byte.unwrap_or(if *first == b'+' { b' ' } else { *first }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text that prints as `[hidden]` in `Debug`, `Display` and every serialisation.
///
/// The text itself is reached only through [`Secret::expose`], so that a search for that word finds
/// every place where a secret leaves its wrapper.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Give it to the library that needs it and to nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True for the empty text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_a_secret() {
        for name in [
            "token",
            "access_token",
            "PASSWORD",
            "user-pwd",
            "secret",
            "Signature",
            "sig",
            "api_key",
            "apikey",
            "ApiKey",
            "auth",
            "X-Auth",
            "key",
            "key_2",
            "client_secret",
        ] {
            assert!(sounds_secret(name), "{name}");
        }
        for name in [
            "u1", "author", "keyword", "sku", "order_id", "design", "signal", "compass", "",
        ] {
            assert!(!sounds_secret(name), "{name}");
        }
    }

    #[test]
    fn a_query_is_shown_without_what_sounds_secret() {
        for (query, shown) in [
            ("u1=<u1>&cid=7", "u1=<u1>&cid=7"),
            (
                "a=1&Token=CANARY&to%6Ben=CANARY&sig={CANARY}&user+pwd=CANARY=1&&b",
                "a=1&Token=[hidden]&to%6Ben=[hidden]&sig=[hidden]&user+pwd=[hidden]&&b",
            ),
            (
                "token&%=1&%6=2&%+f=3&%é=4&%FF=5",
                "token&%=1&%6=2&%+f=3&%é=4&%FF=5",
            ),
            ("", ""),
        ] {
            assert_eq!(masked_query(query), shown);
        }
    }

    #[test]
    fn a_secret_prints_nowhere() {
        let secret = Secret::new("hunter2");
        let printed = format!(
            "{secret} {secret:?} {:#?} {}",
            Some(&secret),
            serde_json::to_string(&secret).unwrap()
        );
        assert!(!printed.contains("hunter2"), "{printed}");
        assert_eq!(printed.matches(HIDDEN).count(), 4, "{printed}");
        assert_eq!(secret.expose(), "hunter2");
    }
}
