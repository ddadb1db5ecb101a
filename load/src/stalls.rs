//! When the sender should have run and did not.

use std::time::Duration;

/// Follows the sender's waits. It asks to be woken at every tick; where it runs later than that, the
/// machine gave it no processor.
#[derive(Debug)]
pub(crate) struct Stalls {
    tick: Duration,
    /// When the sender looked for events.
    woken: Duration,
    /// For how long it should have looked before.
    late: Duration,
}

impl Stalls {
    /// Ticks come at multiples of `tick`.
    pub(crate) fn new(tick: Duration) -> Self {
        Self {
            tick,
            woken: Duration::ZERO,
            late: Duration::ZERO,
        }
    }

    /// A wait that began at one time ended at another: how late is it?
    pub(crate) fn wait(&mut self, began: Duration, ended: Duration) {
        self.woken = ended;
        self.late = ended.saturating_sub(self.next_tick(began));
    }

    /// What the sender stood still until it saw an answer, now.
    pub(crate) fn until_seen(&self, now: Duration) -> Duration {
        self.late + now.saturating_sub(self.woken)
    }

    fn next_tick(&self, time: Duration) -> Duration {
        let tick = self.tick.as_nanos();
        let next = (time.as_nanos() / tick + 1) * tick;
        Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_wake_up_at_the_tick_or_before_it_is_no_stall() {
        let mut stalls = Stalls::new(ms(10));
        for (began, ended) in [(0, 3), (3, 10), (10, 20), (25, 30)] {
            stalls.wait(ms(began), ms(ended));
            assert_eq!(stalls.until_seen(ms(ended)), ms(0), "{began} {ended}");
        }
    }

    #[test]
    fn what_is_beyond_the_tick_is_the_sender_s() {
        let mut stalls = Stalls::new(ms(10));
        stalls.wait(ms(12), ms(70));
        assert_eq!(stalls.until_seen(ms(70)), ms(50));
        // It works off what came: the later an answer is looked at, the longer it stood.
        assert_eq!(stalls.until_seen(ms(74)), ms(54));
        stalls.wait(ms(75), ms(76));
        assert_eq!(stalls.until_seen(ms(76)), ms(0));
    }
}
