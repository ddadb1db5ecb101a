//! The key in a postback's URL, known to the system only by its hash.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::secret::Secret;

/// Fewest characters of a URL key: 22 of the URL-safe base64 alphabet carry 132 bits, the fewest
/// that carry at least 128.
pub const MIN_KEY_CHARS: usize = 22;

/// Most characters of a URL key. Longer ones are looked up too, but cannot be configured.
pub const MAX_KEY_CHARS: usize = 256;

/// SHA-256 of a URL key: what the configuration stores and what a request is looked up by.
///
/// Looking up by the hash makes the time of a lookup say nothing about a key, and a leaked
/// configuration gives no key away.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

/// Why a text cannot be a URL key or its hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The plain key is too short, too long or needs percent-encoding in a URL.
    #[error(
        "a URL key has {MIN_KEY_CHARS} to {MAX_KEY_CHARS} of the characters A-Z, a-z, 0-9, -, _, . and ~"
    )]
    Unfit,
    /// The hash is not 64 hexadecimal digits.
    #[error("a sha256 has 64 hexadecimal digits")]
    NotAHash,
}

impl KeyHash {
    /// Hashes the key as it stands in a URL's path. Any bytes have a hash; whether it is a key
    /// shows in the lookup.
    #[must_use]
    pub fn of_bytes(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Hashes a configured key after checking that it can be one.
    ///
    /// # Errors
    /// [`KeyError::Unfit`] when it is shorter than 128 bits allow, or not plain in a URL.
    pub fn of_key(key: &Secret) -> Result<Self, KeyError> {
        let text = key.expose();
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
        if (MIN_KEY_CHARS..=MAX_KEY_CHARS).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self::of_bytes(text.as_bytes()))
        } else {
            Err(KeyError::Unfit)
        }
    }

    /// The hash itself.
    #[must_use]
    pub const fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// Reads 64 hexadecimal digits, in either case.
    ///
    /// # Errors
    /// [`KeyError::NotAHash`] for anything else.
    pub fn from_hex(hex: &str) -> Result<Self, KeyError> {
        let digits = hex.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 64 {
            return Err(KeyError::NotAHash);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.as_chunks::<2>().0) {
            let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
            let value = high.zip(low).map(|(high, low)| high * 16 + low);
            *byte = value
                .and_then(|value| u8::try_from(value).ok())
                .ok_or(KeyError::NotAHash)?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // NIST FIPS 180-2, appendix B.1: SHA-256 of "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_hash_is_sha256_in_hex() {
        assert_eq!(KeyHash::of_bytes(b"abc").to_string(), ABC);
        assert_eq!(
            KeyHash::from_hex(&ABC.to_uppercase()).unwrap(),
            KeyHash::of_bytes(b"abc")
        );
        for bad in [
            "",
            &ABC[1..],
            &format!("{ABC}0"),
            &ABC.replace('b', "g"),
            &"é".repeat(32),
        ] {
            assert_eq!(KeyHash::from_hex(bad), Err(KeyError::NotAHash), "{bad}");
        }
    }

    #[test]
    fn a_key_carries_128_bits_and_needs_no_encoding() {
        assert!(KeyHash::of_key(&Secret::new("a".repeat(22))).is_ok());
        for bad in [
            "a".repeat(21),
            "a".repeat(257),
            format!("{}/", "a".repeat(22)),
        ] {
            assert_eq!(KeyHash::of_key(&Secret::new(bad)), Err(KeyError::Unfit));
        }
    }
}
