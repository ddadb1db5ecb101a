//! Whether readers see the generation that a pipeline loads, and what follows from it: whose
//! trouble makes the process unready, which metrics count, who waits for whom.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postback_service::probes::Probe;

use crate::metrics::ConsumerMetrics;

/// Changes when readers are switched. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct Role(Arc<AtomicBool>);

impl Role {
    pub(crate) fn new(is_active: bool) -> Self {
        Self(Arc::new(AtomicBool::new(is_active)))
    }

    /// Readers see what is loaded.
    pub(crate) fn is_active(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// True where that is a change.
    pub(crate) fn set(&self, is_active: bool) -> bool {
        self.0.swap(is_active, Ordering::Relaxed) != is_active
    }
}

/// The same probe for every role, or one that a standby leaves alone.
#[derive(Debug, Clone)]
pub(crate) struct RoleProbe {
    role: Role,
    active: Probe,
    standby: Option<Probe>,
}

impl RoleProbe {
    pub(crate) fn new(role: &Role, active: &Probe, standby: Option<&Probe>) -> Self {
        Self {
            role: role.clone(),
            active: active.clone(),
            standby: standby.cloned(),
        }
    }

    fn current(&self) -> Option<&Probe> {
        if self.role.is_active() {
            Some(&self.active)
        } else {
            self.standby.as_ref()
        }
    }

    pub(crate) fn pass(&self) {
        if let Some(probe) = self.current() {
            probe.pass();
        }
    }

    pub(crate) fn fail(&self, reason: impl Into<String>, remedy: impl Into<String>) {
        if let Some(probe) = self.current() {
            probe.fail(reason, remedy);
        }
    }
}

/// The metrics of the role that a pipeline has at the moment: `postback_consumer_…` are about what
/// readers see, `postback_standby_…` about a generation beside it, so that a replay does not look
/// like a lag.
#[derive(Debug, Clone)]
pub(crate) struct RoleMetrics {
    pub(crate) role: Role,
    pub(crate) active: ConsumerMetrics,
    pub(crate) standby: ConsumerMetrics,
}

impl Deref for RoleMetrics {
    type Target = ConsumerMetrics;

    fn deref(&self) -> &ConsumerMetrics {
        if self.role.is_active() {
            &self.active
        } else {
            &self.standby
        }
    }
}

impl RoleMetrics {
    /// Nothing of a partition is shown any more, under either role.
    pub(crate) fn forget(&self, partition: crate::progress::Partition) {
        self.active.forget(partition);
        self.standby.forget(partition);
    }
}

/// Where the active generation never catches up, a standby still goes on, at this pace.
const STARVED_AFTER: Duration = Duration::from_secs(3);

/// Live first: a standby begins a load only while the active generation is not behind, or after a
/// long wait. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    is_behind: bool,
    /// When a standby last began a load.
    last: Option<Instant>,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The active generation is behind, or caught up.
    pub(crate) fn set_behind(&self, is_behind: bool) {
        self.lock().is_behind = is_behind;
    }

    /// Whether a pipeline of that role may begin a load.
    pub(crate) fn allow(&self, role: &Role, now: Instant) -> bool {
        let taken = self.lock();
        let is_starved = |last: Instant| now.saturating_duration_since(last) > STARVED_AFTER;
        role.is_active() || !taken.is_behind || taken.last.is_none_or(is_starved)
    }

    /// A pipeline of that role begins a load.
    pub(crate) fn take(&self, role: &Role, now: Instant) {
        if !role.is_active() {
            self.lock().last = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use postback_service::probes::Readiness;

    use super::*;

    #[test]
    fn the_active_one_speaks_for_the_process_and_the_roles_can_change() {
        let readiness = Readiness::new();
        let (active, standby) = (readiness.fine("partitions"), readiness.notice("standby"));
        let (one, two) = (Role::new(true), Role::new(false));
        let first = RoleProbe::new(&one, &active, Some(&standby));
        let second = RoleProbe::new(&two, &active, Some(&standby));
        second.fail("held", "");
        assert!(readiness.is_ready());
        first.fail("held", "");
        assert!(!readiness.is_ready());
        first.pass();
        assert!(one.set(false) && two.set(true));
        assert!(!one.set(false), "no change");
        second.fail("held", "");
        assert!(!readiness.is_ready());
        RoleProbe::new(&one, &active, None).pass();
        assert!(!readiness.is_ready(), "a standby leaves it alone");
    }

    #[test]
    fn a_standby_waits_while_the_active_one_is_behind_and_never_for_ever() {
        let (turns, active, standby) = (Turns::default(), Role::new(true), Role::new(false));
        let now = Instant::now();
        assert!(turns.allow(&active, now) && turns.allow(&standby, now));
        turns.set_behind(true);
        turns.take(&standby, now);
        assert!(turns.allow(&active, now) && !turns.allow(&standby, now));
        turns.take(&active, now + STARVED_AFTER);
        let later = now + STARVED_AFTER + Duration::from_millis(1);
        assert!(!turns.allow(&standby, now + STARVED_AFTER));
        assert!(turns.allow(&standby, later));
        turns.take(&standby, later);
        assert!(!turns.allow(&standby, later));
        turns.set_behind(false);
        assert!(turns.allow(&standby, later));
    }
}
