//! How often a call is tried, and how long is waited in between.

use std::time::Duration;

use crate::call::Call;
use crate::error::Trouble;

/// Bounds of trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts of one call, the first included.
    pub attempts: u32,
    /// For one attempt, connecting and the whole answer included.
    pub answer_within: Duration,
    /// Before the second attempt; each later pause is twice as long.
    pub first_pause: Duration,
    /// No pause is longer; a network that asks for more (`Retry-After`) ends the call.
    pub longest_pause: Duration,
}

impl Default for Patience {
    /// For work in the background: a minute for an answer, and about ten minutes in all.
    fn default() -> Self {
        Self {
            attempts: 8,
            answer_within: Duration::from_secs(60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
        }
    }
}

impl Patience {
    /// While a person waits.
    #[must_use]
    pub fn of_a_person() -> Self {
        Self {
            attempts: 3,
            answer_within: Duration::from_secs(15),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(20),
        }
    }

    /// How long to wait before another attempt; `None`: there is none.
    ///
    /// `attempt` counts from 1; `random` is from 0 to below 1, so that several that were refused at
    /// once do not come back at once.
    pub(crate) fn pause(
        &self,
        call: Call,
        trouble: &Trouble,
        attempt: u32,
        random: f64,
    ) -> Option<Duration> {
        let may = trouble.is_passing() && (call.is_repeatable() || trouble.is_harmless());
        if !may || attempt >= self.attempts {
            return None;
        }
        let doubled = self
            .first_pause
            .saturating_mul(1 << attempt.saturating_sub(1).min(20));
        let own = doubled.min(self.longest_pause).mul_f64(0.5 + random / 2.0);
        match trouble.retry_after() {
            Some(asked) => (asked <= self.longest_pause).then(|| asked.max(own)),
            None => Some(own),
        }
    }
}

/// For pauses that are not to end together: from 0 to below 1; a half where the system gives no random
/// bytes.
#[must_use]
pub fn random() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / 4_294_967_296.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn too_many(asked: Option<u64>) -> Trouble {
        Trouble::TooManyRequests {
            retry_after: asked.map(Duration::from_secs),
        }
    }

    fn busy(asked: Option<u64>) -> Trouble {
        Trouble::Server {
            status: 503,
            retry_after: asked.map(Duration::from_secs),
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_end() {
        let trouble = busy(None);
        let patience = Patience {
            attempts: 5,
            longest_pause: 3 * SECOND,
            ..Patience::default()
        };
        let pauses: Vec<_> = (1..=5)
            .map(|attempt| patience.pause(Call::Transactions, &trouble, attempt, 0.5))
            .map(|pause| pause.map(|pause| pause.as_millis()))
            .collect();
        assert_eq!(
            pauses,
            [Some(750), Some(1_500), Some(2_250), Some(2_250), None]
        );
    }

    #[test]
    fn what_the_network_asks_for_is_waited_for_unless_it_is_too_long() {
        let patience = Patience::default();
        for trouble in [too_many, busy] {
            let pause = |asked| patience.pause(Call::Transactions, &trouble(asked), 1, 0.0);
            assert_eq!(pause(Some(7)), Some(7 * SECOND));
            assert_eq!(pause(Some(300)), Some(300 * SECOND));
            assert_eq!(pause(Some(301)), None);
            assert_eq!(pause(Some(0)), Some(SECOND / 2));
            assert_eq!(pause(None), Some(SECOND / 2));
        }
    }

    #[test]
    fn what_may_have_been_heard_is_repeated_only_where_that_does_no_harm() {
        let patience = Patience::default();
        let pauses = |call, trouble: Trouble| patience.pause(call, &trouble, 1, 0.0).is_some();
        assert!(pauses(Call::Change, Trouble::TimedOut(SECOND)));
        assert!(!pauses(Call::SetUp, Trouble::TimedOut(SECOND)));
        assert!(pauses(Call::SetUp, too_many(None)));
        for trouble in [
            Trouble::Unauthorized,
            Trouble::NotFound,
            Trouble::Refused(400),
        ] {
            assert!(!pauses(Call::Transactions, trouble));
        }
    }
}
