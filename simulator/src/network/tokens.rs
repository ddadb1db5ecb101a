//! Bearer tokens for the API.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a token holds.
pub(super) const VALID: Duration = Duration::from_secs(3_600);

/// Tokens kept at once; the one that ends first goes.
const MOST: usize = 1_000;

#[derive(Default)]
pub(super) struct Tokens {
    ends: BTreeMap<String, Instant>,
}

impl Tokens {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(super) fn issue(&mut self, now: Instant) -> Result<String, getrandom::Error> {
        self.ends.retain(|_, end| *end > now);
        if self.ends.len() >= MOST
            && let Some(oldest) = self.ends.iter().min_by_key(|(_, end)| **end)
        {
            let oldest = oldest.0.clone();
            self.ends.remove(&oldest);
        }
        let mut bits = [0; 16];
        getrandom::fill(&mut bits)?;
        let token = format!("{:032x}", u128::from_be_bytes(bits));
        self.ends.insert(token.clone(), now + VALID);
        Ok(token)
    }

    pub(super) fn is_valid(&self, token: &str, now: Instant) -> bool {
        self.ends.get(token).is_some_and(|end| *end > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_for_an_hour() {
        let (mut tokens, now) = (Tokens::default(), Instant::now());
        let token = tokens.issue(now).unwrap();
        assert!(tokens.is_valid(&token, now + VALID - Duration::from_secs(1)));
        assert!(!tokens.is_valid(&token, now + VALID));
        assert!(!tokens.is_valid("another", now));
        for _ in 0..2 * MOST {
            tokens.issue(now).unwrap();
        }
        assert!(tokens.ends.len() <= MOST);
    }
}
