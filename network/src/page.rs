//! A page of transactions, as the Events API gives them.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use crate::error::Trouble;

/// A time by `process_date`, in whole seconds, both ends included: that is how the API is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// First second.
    pub from: Timestamp,
    /// Last second.
    pub through: Timestamp,
}

/// Transactions, each as the text of its JSON object.
#[derive(Debug)]
pub struct Page {
    /// As they came.
    pub transactions: Vec<Box<RawValue>>,
    /// There are no more than these.
    pub is_last: bool,
}

impl Page {
    /// Reads a bare array of objects; a short one is the last.
    pub(crate) fn read(answer: &[u8], asked_for: u32) -> Result<Self, Trouble> {
        let unreadable = |words: String| Trouble::Unreadable(words);
        let text = str::from_utf8(answer);
        let text = text.map_err(|_| unreadable("it is no UTF-8".to_owned()))?;
        let transactions: Vec<Box<RawValue>> = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            unreadable(format!(
                "it is no whole JSON array (line {line}, column {column})"
            ))
        })?;
        let mut texts = transactions.iter();
        if texts.any(|text| !text.get().starts_with('{')) {
            return Err(unreadable(
                "its array holds something else than objects".to_owned(),
            ));
        }
        let is_last = transactions.len() < usize::try_from(asked_for).unwrap_or(usize::MAX);
        Ok(Self {
            transactions,
            is_last,
        })
    }
}

impl Window {
    /// How the API wants its ends: `2014-04-30 02:18:36`, UTC.
    pub(crate) fn ends(self) -> (String, String) {
        (civil(self.from), civil(self.through))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", civil(self.from), civil(self.through))
    }
}

fn civil(at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
