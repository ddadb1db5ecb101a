//! Names that stand in the configuration, in records, tables and metric labels.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Longest name in bytes. A name becomes a metric label and part of a sorting key.
pub const MAX_NAME_BYTES: usize = 64;

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to {MAX_NAME_BYTES} of the characters a-z, 0-9, - and _, and begins with a letter or digit"
)]
pub struct NameError;

fn check(text: &str) -> Result<(), NameError> {
    let body = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let bytes = text.as_bytes();
    let begins_well = bytes
        .first()
        .is_some_and(|b| body(b) && b.is_ascii_alphanumeric());
    if begins_well && bytes.len() <= MAX_NAME_BYTES && bytes.iter().all(body) {
        Ok(())
    } else {
        Err(NameError)
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps `text`.
            ///
            /// # Errors
            /// [`NameError`] when the text is empty, too long or has another character than
            /// `a-z`, `0-9`, `-`, `_`.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).map_err(D::Error::custom)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type! {
    /// One registered URL family of one network: `rakuten-us`.
    SourceName
}
name_type! {
    /// The publisher's account with a network. Several sources may share one; conversions are
    /// unique per account. Defaults to the source's name.
    AccountName
}
name_type! {
    /// An affiliate network, named as its profile in `schemas/networks/`: `rakuten`.
    NetworkName
}
name_type! {
    /// One of a source's URL keys, as people and metrics call it. Never the key itself.
    KeyName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["r", "rakuten-us", "k1", "0_a", &"a".repeat(64)] {
            assert_eq!(SourceName::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "-a",
            "_a",
            "Rakuten",
            "a b",
            "a.b",
            "é",
            "a\n",
            &"a".repeat(65),
        ] {
            assert_eq!(SourceName::new(bad), Err(NameError), "{bad:?}");
        }
    }
}
