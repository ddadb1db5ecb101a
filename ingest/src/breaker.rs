//! Whether Kafka is asked first.
//!
//! While Kafka confirms in time, every record goes there first. Once it does not (a record was not
//! confirmed within the wait, a delivery failed, the queue is full), the breaker *opens*: records go
//! to the spool without waiting, and only a trickle of them is offered to Kafka as well, to find out
//! when it is back. A record that was offered after the opening and is confirmed within the wait
//! *closes* it. So a hiccup costs a few records the way over the disk, and an outage costs no
//! request more than the first ones the wait.
//!
//! Records that are drained from the spool are offered all the time, in windows that shrink to one
//! while they fail; their confirmations close the breaker too. So it closes without any traffic.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::metrics::BreakerMetrics;

/// At least so long between two probes.
const PROBE_EVERY: Duration = Duration::from_millis(100);

/// While nothing was heard of a probe, so long until the next: its partition may be the only one
/// that stands still, and probes that wait are copies of what is spooled.
const NEXT_PROBE_AFTER: Duration = Duration::from_secs(1);

/// An opening is told to the log at most so often: a Kafka at the edge of the wait opens and closes
/// the breaker several times a second.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Where a record goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To Kafka; to the spool only after the wait.
    Kafka,
    /// To the spool, and to Kafka at once too, to learn whether it is back.
    Probe,
    /// To the spool; to Kafka only if that fails.
    Spool,
}

/// Why the breaker opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A record was not confirmed within the wait.
    Late,
    /// Kafka, or its client, gave a record up.
    Failed,
    /// Kafka's client did not take a record.
    NotTaken,
}

impl Cause {
    /// The machine-readable tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Failed => "failed",
            Self::NotTaken => "not_taken",
        }
    }
}

/// Hears of every delivery and decides the next record's route. Time comes from the callers.
#[derive(Debug)]
pub struct Breaker {
    wait: Duration,
    metrics: BreakerMetrics,
    /// Read by every request; the rest only while it is open.
    open: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open_since: Option<Instant>,
    /// When the last probe went out.
    probed: Option<Instant>,
    /// Nothing was heard of it yet.
    probing: bool,
    journal: Journal,
}

/// What the log was told.
#[derive(Debug, Default)]
struct Journal {
    /// Of the last opening that it was told.
    told: Option<Instant>,
    /// The present opening is one that it was told.
    told_of_this: bool,
    /// Openings since the last one that it was told.
    untold: u32,
}

impl Breaker {
    /// Closed. `wait` is the longest time that a confirmation may take.
    #[must_use]
    pub fn new(wait: Duration, metrics: BreakerMetrics) -> Self {
        Self {
            wait,
            metrics,
            open: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// The longest time that a confirmation may take.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Whether Kafka is passed over.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }

    /// Where a record that comes now goes first.
    #[must_use]
    pub fn route(&self, now: Instant) -> Route {
        if !self.is_open() {
            return Route::Kafka;
        }
        let mut state = self.state();
        if state.open_since.is_none() {
            return Route::Kafka;
        }
        let pause = if state.probing {
            NEXT_PROBE_AFTER
        } else {
            PROBE_EVERY
        };
        let since = |probed| now.saturating_duration_since(probed);
        if state.probed.is_some_and(|probed| since(probed) < pause) {
            return Route::Spool;
        }
        state.probed = Some(now);
        state.probing = true;
        Route::Probe
    }

    /// A record that was offered at `offered` has been confirmed after `waited`.
    pub fn confirmed(&self, offered: Instant, waited: Duration) {
        if !self.is_open() {
            return;
        }
        let mut state = self.state();
        state.heard_of(offered);
        let Some(since) = state.open_since else {
            return;
        };
        if waited <= self.wait && offered >= since {
            state.open_since = None;
            self.open.store(false, Relaxed);
            self.metrics.open.set(0);
            let after = offered.saturating_duration_since(since) + waited;
            state.journal.closed(after);
        }
    }

    /// Something went wrong at `now` with a record that was offered at `offered`.
    pub fn failed(&self, cause: Cause, offered: Instant, now: Instant) {
        let mut state = self.state();
        if cause != Cause::Late {
            state.heard_of(offered);
        }
        if state.open_since.is_some() {
            return;
        }
        state.open_since = Some(now);
        state.probed = Some(now);
        state.probing = false;
        self.open.store(true, Relaxed);
        self.metrics.open.set(1);
        self.metrics.opened(cause);
        state.journal.opened(cause, now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What became of the probe, or of something that was offered after it, is known.
    fn heard_of(&mut self, offered: Instant) {
        if self.probed.is_some_and(|probed| offered >= probed) {
            self.probing = false;
        }
    }
}

impl Journal {
    fn opened(&mut self, cause: Cause, now: Instant) {
        let since = |told| now.saturating_duration_since(told);
        self.told_of_this = self.told.is_none_or(|told| since(told) >= TOLD_EVERY);
        if !self.told_of_this {
            self.untold += 1;
            return;
        }
        let (cause, untold) = (cause.as_str(), self.untold);
        warn!(cause, untold, "Kafka does not confirm in time");
        self.told = Some(now);
        self.untold = 0;
    }

    fn closed(&self, after: Duration) {
        if self.told_of_this {
            info!(?after, "Kafka confirms in time again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(100);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A breaker that opened at the returned time.
    fn opened() -> (Breaker, Instant) {
        let breaker = Breaker::new(WAIT, BreakerMetrics::default());
        let now = Instant::now() + Duration::from_secs(60);
        assert_eq!(breaker.route(now - WAIT), Route::Kafka);
        breaker.failed(Cause::Late, now - WAIT, now);
        (breaker, now)
    }

    #[test]
    fn while_it_is_open_a_trickle_probes() {
        let (breaker, now) = opened();
        assert_eq!(breaker.route(now), Route::Spool);
        assert_eq!(breaker.route(now + millis(99)), Route::Spool);
        assert_eq!(breaker.route(now + millis(100)), Route::Probe);
        // Nothing is heard of the probe: one more each second, for it may be stuck alone.
        for after in [101, 500, 1_099] {
            assert_eq!(breaker.route(now + millis(after)), Route::Spool, "{after}");
        }
        assert_eq!(breaker.route(now + millis(1_100)), Route::Probe);
        // It failed: the next need not wait so long.
        let (offered, heard) = (now + millis(1_100), now + millis(1_150));
        breaker.failed(Cause::Failed, offered, heard);
        assert_eq!(breaker.route(now + millis(1_199)), Route::Spool);
        assert_eq!(breaker.route(now + millis(1_200)), Route::Probe);
    }

    #[test]
    fn what_was_offered_after_the_opening_and_is_confirmed_in_time_closes_it() {
        let (breaker, now) = opened();
        // Before the opening: it was on its way when the trouble began.
        breaker.confirmed(now - millis(1), millis(50));
        assert!(breaker.is_open());
        // Later than the wait: Kafka answers, but a request could not have waited.
        breaker.confirmed(now + millis(100), millis(101));
        assert!(breaker.is_open());
        breaker.confirmed(now + millis(200), millis(100));
        assert!(!breaker.is_open());
        assert_eq!(breaker.route(now + millis(300)), Route::Kafka);
    }

    #[test]
    fn it_counts_its_openings_by_cause_and_shows_its_state() {
        let (breaker, now) = opened();
        let metrics = breaker.metrics.clone();
        breaker.failed(Cause::Failed, now, now);
        assert_eq!((metrics.open.get(), metrics.openings(Cause::Late)), (1, 1));
        assert_eq!(metrics.openings(Cause::Failed), 0, "it was open already");
        breaker.confirmed(now, millis(1));
        assert_eq!(metrics.open.get(), 0);
        breaker.failed(Cause::NotTaken, now, now);
        assert_eq!(metrics.openings(Cause::NotTaken), 1);
    }
}
