//! The token that every other call carries.

use std::time::{Duration, Instant};

use postback_common::secret::Secret;
use serde::Deserialize;

use crate::error::Trouble;

/// A token is not used in its last moments: the network's clock may be ahead.
const MARGIN: Duration = Duration::from_secs(30);

/// Where the network does not say how long a token holds (RFC 6749 recommends that it does).
const UNSAID: Duration = Duration::from_secs(300);

/// A token, and until when it is used.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) text: Secret,
    until: Instant,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    /// Seconds, which some networks write as text.
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

impl Token {
    /// Reads the answer to a request for a token (RFC 6749, section 5.1). Its age is counted by our
    /// own clock from when it was asked for.
    pub(crate) fn read(answer: &[u8], asked_at: Instant) -> Result<Self, Trouble> {
        // What serde says of a text could show the token.
        let unreadable = || Trouble::Unreadable("it holds no access_token".to_owned());
        let answer: Answer = serde_json::from_slice(answer).map_err(|_| unreadable())?;
        let is_plain = |c: char| c.is_ascii_graphic();
        if answer.access_token.is_empty() || !answer.access_token.chars().all(is_plain) {
            return Err(unreadable());
        }
        let seconds = answer.expires_in.as_ref().and_then(|value| {
            let text = value.as_str().and_then(|text| text.trim().parse().ok());
            value.as_u64().or(text)
        });
        let holds = seconds.map_or(UNSAID, Duration::from_secs);
        let used = holds.saturating_sub(MARGIN.min(holds / 2));
        Ok(Self {
            text: Secret::new(answer.access_token),
            until: asked_at + used.min(Duration::from_secs(86_400)),
        })
    }

    /// It can still be used.
    pub(crate) fn holds(&self, now: Instant) -> bool {
        now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds_for(answer: &str) -> Option<u64> {
        let now = Instant::now();
        let token = Token::read(answer.as_bytes(), now).ok()?;
        Some(token.until.duration_since(now).as_secs())
    }

    #[test]
    fn a_token_ends_before_the_network_says() {
        assert_eq!(
            holds_for(r#"{"access_token":"t","expires_in":3600}"#),
            Some(3_570)
        );
        assert_eq!(
            holds_for(r#"{"access_token":"t","expires_in":"600"}"#),
            Some(570)
        );
        assert_eq!(
            holds_for(r#"{"access_token":"t","expires_in":10}"#),
            Some(5)
        );
        assert_eq!(holds_for(r#"{"access_token":"t"}"#), Some(270));
    }

    #[test]
    fn an_answer_without_a_token_is_refused_and_shows_nothing() {
        for answer in [
            "",
            "{}",
            r#"{"access_token":""}"#,
            r#"{"access_token":"CANARY\r\nx: y"}"#,
            r#"{"access_token":{"CANARY":1}}"#,
        ] {
            let refused = Token::read(answer.as_bytes(), Instant::now()).err();
            let words = format!("{refused:?}");
            assert!(matches!(refused, Some(Trouble::Unreadable(_))), "{words}");
            assert!(!words.contains("CANARY"));
        }
    }
}
