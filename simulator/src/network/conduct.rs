//! How the API treats its callers: with bounds, with delays, and with bad moments.

use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

/// What callers have to expect.
#[derive(Clone, Debug, PartialEq)]
pub struct Conduct {
    /// Questions for transactions that are answered at once; a further one gets 429.
    pub calls_at_once: usize,
    /// How long every answer takes.
    pub latency: Duration,
    /// What [`ApiTrouble::Slow`] adds.
    pub slowness: Duration,
    /// How long a token holds.
    pub token_holds: Duration,
    /// What goes wrong, and for which share of the requests, from 0 to 1. A request meets at most
    /// one of them: the first that it falls to.
    pub troubles: Vec<(ApiTrouble, f64)>,
    /// Equal seeds give equal troubles to equal requests in one order.
    pub seed: u64,
}

/// What can go wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiTrouble {
    /// 401: the token does not hold any more.
    Unauthorized,
    /// 429, with `Retry-After`.
    TooManyRequests,
    /// 500; nothing was done.
    ServerError,
    /// It takes its time.
    Slow,
    /// The answer ends before its length; what was asked is done.
    Truncated,
    /// The answer is a page of HTML; what was asked is done.
    Invalid,
    /// The first page of transactions, whichever was asked for.
    SamePage,
    /// One of the transactions is not there yet: those behind it stand one place ahead, some of
    /// them on another page.
    Late,
}

impl ApiTrouble {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Unauthorized,
        Self::TooManyRequests,
        Self::ServerError,
        Self::Slow,
        Self::Truncated,
        Self::Invalid,
        Self::SamePage,
        Self::Late,
    ];

    /// A short name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "401",
            Self::TooManyRequests => "429",
            Self::ServerError => "500",
            Self::Slow => "slow",
            Self::Truncated => "truncated",
            Self::Invalid => "invalid",
            Self::SamePage => "same_page",
            Self::Late => "late",
        }
    }
}

impl Default for Conduct {
    /// As the real one is said to be, on a good day.
    fn default() -> Self {
        Self {
            calls_at_once: 3,
            latency: Duration::ZERO,
            slowness: Duration::from_secs(30),
            token_holds: Duration::from_secs(3_600),
            troubles: Vec::new(),
            seed: 0,
        }
    }
}

/// The conduct as it goes on.
pub(super) struct Moods {
    pub(super) conduct: Conduct,
    /// Questions for transactions that are under way.
    pub(super) under_way: usize,
    random: ChaCha8Rng,
}

impl Moods {
    pub(super) fn of(conduct: Conduct) -> Self {
        Self {
            under_way: 0,
            random: ChaCha8Rng::seed_from_u64(conduct.seed),
            conduct,
        }
    }

    /// What goes wrong with the next request.
    pub(super) fn next(&mut self) -> Option<ApiTrouble> {
        let random = &mut self.random;
        let troubles = self.conduct.troubles.iter();
        let mut met = troubles.filter(|(_, rate)| random.random_bool(rate.clamp(0.0, 1.0)));
        met.next().map(|(trouble, _)| *trouble)
    }

    /// One of so many.
    pub(super) fn choose(&mut self, of: usize) -> usize {
        match of {
            0 => 0,
            of => self.random.random_range(0..of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_come_as_often_as_they_should() {
        let (rare, always) = (ApiTrouble::Slow, ApiTrouble::Late);
        let mut moods = Moods::of(Conduct {
            troubles: vec![(ApiTrouble::Invalid, 0.0), (rare, 0.25), (always, 1.0)],
            ..Conduct::default()
        });
        let met: Vec<_> = (0..4_000).filter_map(|_| moods.next()).collect();
        assert_eq!(met.len(), 4_000);
        let rare = met.iter().filter(|met| **met == rare).count();
        // Six standard deviations of 27 around 1,000.
        assert!((836..=1_164).contains(&rare), "{rare}");
        assert_eq!(
            met.iter().filter(|met| **met == always).count(),
            4_000 - rare
        );
    }
}
