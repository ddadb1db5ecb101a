//! One postback, as it is sent and as it is meant.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::figures::model::Conversion;

/// One GET.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) source: &'static str,
    pub(crate) query: String,
    /// It came then, and its record has been in Kafka since; without it, it is sent now.
    pub(crate) came: Option<Timestamp>,
    /// It is sent after everything else: the same again.
    pub(crate) is_repeat: bool,
    /// A conversion, or the reasons why it is none.
    pub(crate) says: Result<Conversion, Vec<&'static str>>,
}

impl Message {
    pub(crate) fn new(
        source: &'static str,
        parameters: &[(&str, &str)],
        says: Result<Conversion, Vec<&'static str>>,
    ) -> Self {
        let pairs = parameters.iter();
        let pairs = pairs.map(|(name, value)| format!("{name}={}", escaped(value)));
        Self {
            source,
            query: pairs.collect::<Vec<_>>().join("&"),
            came: None,
            is_repeat: false,
            says,
        }
    }

    /// It came at that time.
    pub(crate) fn came(mut self, at: Timestamp) -> Self {
        self.came = Some(at);
        self
    }

    /// The same again, a little later.
    pub(crate) fn again(&self) -> Self {
        Self {
            came: self.came.map(|at| at + SignedDuration::from_secs(7)),
            is_repeat: true,
            ..self.clone()
        }
    }
}

fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b':' => {
                text.push(byte.into());
            }
            _ => write!(text, "%{byte:02X}").unwrap(),
        }
    }
    text
}
