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
    /// Reads a bare array of objects. An empty or short one is the last; short is what has fewer
    /// than `full`, a number that the network is known to give at once.
    pub(crate) fn read(answer: &[u8], full: usize) -> Result<Self, Trouble> {
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
        let is_last = transactions.is_empty() || transactions.len() < full;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_or_shorter_page_is_the_last() {
        let is_last = |text: &str, full| Page::read(text.as_bytes(), full).unwrap().is_last;
        // Nothing is known yet of how many the network gives at once.
        assert!(is_last("[]", 0));
        assert!(!is_last("[{}]", 0));
        assert!(!is_last("[{},{}]", 2));
        assert!(is_last("[{}]", 2));
    }

    #[test]
    fn transactions_stay_as_they_came() {
        let page = Page::read(br#" [ {"a": 1.50 , "b":"\u00e4"} , {} ] "#, 9).unwrap();
        let texts: Vec<&str> = page.transactions.iter().map(|text| text.get()).collect();
        assert_eq!(texts, [r#"{"a": 1.50 , "b":"\u00e4"}"#, "{}"]);
    }

    #[test]
    fn what_is_no_array_of_objects_is_refused_without_showing_it() {
        for text in [
            &b""[..],
            b"null",
            br#"{"error":"CANARY"}"#,
            br#"[{"a":"CANARY"}"#,
            br#"[{"a":"CANARY"}] more"#,
            br#"[{},"CANARY"]"#,
            b"<html>CANARY</html>",
            b"[{\"a\":\"\xff\"}]",
        ] {
            let refused = Page::read(text, 9).err();
            assert!(matches!(refused, Some(Trouble::Unreadable(_))), "{text:?}");
            assert!(!format!("{refused:?}").contains("CANARY"));
        }
    }

    #[test]
    fn a_window_has_whole_seconds_of_utc() {
        let [from, through] = ["2026-03-14T18:28:18.9Z", "2026-03-15T00:00:00+02:00"]
            .map(|text| text.parse().unwrap());
        let window = Window { from, through };
        assert_eq!(
            window.to_string(),
            "2026-03-14 18:28:18 to 2026-03-14 22:00:00"
        );
    }
}
