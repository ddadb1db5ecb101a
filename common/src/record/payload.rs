//! Query or body: text where it is UTF-8, base64 where it is not, so that any bytes survive JSON.

use std::borrow::Cow;

use base64::engine::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Text;

/// Bytes as they came, undecoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Valid UTF-8, which requests nearly always are: `{"utf8": "…"}`.
    Utf8(Text<'a>),
    /// Anything else: `{"base64": "…"}`, standard alphabet with padding (RFC 4648, section 4).
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Payload<'a> {
    /// Wraps bytes in the form that reads best.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self::Utf8(text.into()),
            Err(_) => Self::Bytes(Cow::Borrowed(bytes)),
        }
    }

    /// The bytes as they came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Utf8(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", bound(deserialize = "'de: 'a"))]
enum Form<'a> {
    Utf8(Text<'a>),
    Base64(Text<'a>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Payload<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Form::deserialize(deserializer)? {
            Form::Utf8(text) => Ok(Self::Utf8(text)),
            Form::Base64(text) => match STANDARD.decode(text.as_bytes()) {
                Ok(bytes) => Ok(Self::Bytes(Cow::Owned(bytes))),
                Err(_) => Err(D::Error::custom("a base64 payload that is not base64")),
            },
        }
    }
}
