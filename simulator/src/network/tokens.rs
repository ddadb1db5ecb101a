//! Bearer tokens for the API.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Tokens kept at once; the one that ends first goes.
const MOST: usize = 1_000;

#[derive(Default)]
pub(super) struct Tokens {
    ends: BTreeMap<String, Instant>,
}

impl Tokens {
    /// A new one, which holds so long.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(super) fn issue(
        &mut self,
        holds: Duration,
        now: Instant,
    ) -> Result<String, getrandom::Error> {
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
        self.ends.insert(token.clone(), now + holds);
        Ok(token)
    }

    /// It holds no longer.
    pub(super) fn revoke(&mut self, token: &str) {
        self.ends.remove(token);
    }

    pub(super) fn is_valid(&self, token: &str, now: Instant) -> bool {
        self.ends.get(token).is_some_and(|end| *end > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_until_its_end_or_until_it_is_revoked() {
        let (mut tokens, now) = (Tokens::default(), Instant::now());
        let hour = Duration::from_secs(3_600);
        let token = tokens.issue(hour, now).unwrap();
        assert!(tokens.is_valid(&token, now + hour - Duration::from_secs(1)));
        assert!(!tokens.is_valid(&token, now + hour));
        assert!(!tokens.is_valid("another", now));
        let revoked = tokens.issue(hour, now).unwrap();
        tokens.revoke(&revoked);
        assert!(!tokens.is_valid(&revoked, now) && tokens.is_valid(&token, now));
        for _ in 0..2 * MOST {
            tokens.issue(hour, now).unwrap();
        }
        assert!(tokens.ends.len() <= MOST);
    }
}
