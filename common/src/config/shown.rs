//! A registered query, fit to be shown: also a value may hold a URL key.

use std::iter;

use crate::secret::{HIDDEN, decoded, masked_query};
use crate::url_key::{KeyHash, MAX_KEY_CHARS, MIN_KEY_CHARS};

/// How often escapes are undone: a URL within a URL is escaped once more.
const MOST_ESCAPES: usize = 4;

/// What stands before the key in a path.
const BEFORE_KEY: &str = "postback/";

/// True where a URL key may stand in a text, however it is escaped: one that `is_key`, or whatever
/// stands behind `postback/`, since a key of another installation is a secret as well.
#[must_use]
pub fn holds_key(text: &str, is_key: &dyn Fn(KeyHash) -> bool) -> bool {
    let next = |text: &String| Some(decoded(text)).filter(|next| next != text);
    let mut readings = iter::successors(Some(text.to_owned()), next).take(MOST_ESCAPES);
    readings.any(|text| has_place_of_key(&text) || runs(&text).any(&is_key))
}

/// The query without the values of parameters that sound secret or hold a key.
pub(super) fn shown_query(query: &str, is_key: &dyn Fn(KeyHash) -> bool) -> String {
    let part = |part: &str| match part.split_once('=') {
        _ if !holds_key(part, is_key) => part.to_owned(),
        Some((name, _)) if !holds_key(name, is_key) => format!("{name}={HIDDEN}"),
        _ => HIDDEN.to_owned(),
    };
    let masked = masked_query(query);
    masked.split('&').map(part).collect::<Vec<_>>().join("&")
}

fn has_place_of_key(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut behind = lower.split(BEFORE_KEY).skip(1);
    behind.any(|behind| !behind.trim_start_matches('/').is_empty())
}

/// The hashes of what is as long as a key and of its characters.
fn runs(text: &str) -> impl Iterator<Item = KeyHash> {
    let is_of_keys = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let runs = text.split(move |c| !is_of_keys(c));
    runs.filter(|run| (MIN_KEY_CHARS..=MAX_KEY_CHARS).contains(&run.len()))
        .map(|run| KeyHash::of_bytes(run.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "CANARY-0123456789abcdef";

    fn is_key(hash: KeyHash) -> bool {
        hash == KeyHash::of_bytes(KEY.as_bytes())
    }

    #[test]
    fn a_key_is_hidden_wherever_it_stands() {
        for (query, shown) in [
            ("a=<u1>&b=%3Ctid%3E&c&&d=1", "a=<u1>&b=%3Ctid%3E&c&&d=1"),
            (
                "a=1&fwd=https%3A%2F%2Fy%2Fpostback%2FCANARY&b=2",
                "a=1&fwd=[hidden]&b=2",
            ),
            (
                "fwd=https%253A%252F%252Fy%252FPostback%252F%252FCANARY%253Fa",
                "fwd=[hidden]",
            ),
            ("fwd=https://y/postback/CANARY?a=b", "fwd=[hidden]"),
            ("fwd=https://y/postback/", "fwd=https://y/postback/"),
            ("a=x%2FCANARY%2D0123456789abcdef%2Fy", "a=[hidden]"),
            ("a=1&CANARY-0123456789abcdef", "a=1&[hidden]"),
            ("CANARY-0123456789abcdef=1", "[hidden]"),
            ("token=CANARY", "token=[hidden]"),
            // As long, and none that is configured.
            (
                "cid=0123456789abcdef0123456789",
                "cid=0123456789abcdef0123456789",
            ),
            ("", ""),
        ] {
            assert_eq!(shown_query(query, &is_key), shown);
        }
    }
}
