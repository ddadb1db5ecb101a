//! Readiness: a few named probes, each fine or failing with a reason and a remedy.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{info, warn};

/// All probes of a process. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<Vec<Probe>>>);

/// One thing that must hold for the process to be ready. Cloning shares it; any thread may set it.
#[derive(Debug, Clone)]
pub struct Probe {
    name: &'static str,
    state: Arc<Mutex<Option<Failure>>>,
}

/// Why a probe fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What does not hold, with its value.
    pub reason: String,
    /// What to do; empty where waiting is all there is.
    pub remedy: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.remedy.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.remedy)
    }
}

impl Readiness {
    /// No probe yet, so ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a probe, failing with "not checked yet" until it is set.
    #[must_use]
    pub fn probe(&self, name: &'static str) -> Probe {
        let unchecked = Failure {
            reason: "not checked yet".to_owned(),
            remedy: String::new(),
        };
        self.add(name, Some(unchecked))
    }

    /// Adds a probe that is fine until it is set.
    #[must_use]
    pub fn fine(&self, name: &'static str) -> Probe {
        self.add(name, None)
    }

    fn add(&self, name: &'static str, state: Option<Failure>) -> Probe {
        let probe = Probe {
            name,
            state: Arc::new(Mutex::new(state)),
        };
        locked(&self.0).push(probe.clone());
        probe
    }

    /// Every probe with its failure, in the order in which they were added.
    #[must_use]
    pub fn report(&self) -> Vec<(&'static str, Option<Failure>)> {
        let probes = locked(&self.0);
        probes
            .iter()
            .map(|probe| (probe.name, probe.failure()))
            .collect()
    }

    /// Whether no probe fails.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.report().iter().all(|(_, failure)| failure.is_none())
    }
}

impl Probe {
    /// It holds.
    pub fn pass(&self) {
        if locked(&self.state).take().is_some() {
            info!(probe = self.name, "probe passes");
        }
    }

    /// It does not hold. A change of the reason is logged.
    pub fn fail(&self, reason: impl Into<String>, remedy: impl Into<String>) {
        let failure = Failure {
            reason: reason.into(),
            remedy: remedy.into(),
        };
        let before = locked(&self.state).replace(failure.clone());
        if before.as_ref() != Some(&failure) {
            let Failure { reason, remedy } = failure;
            warn!(probe = self.name, reason, remedy, "probe fails");
        }
    }

    /// Why it fails; `None` while it holds.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        locked(&self.state).clone()
    }
}

/// A thread that panicked while it held the lock left a whole value behind.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_that_every_probe_passes() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let (kafka, draining) = (readiness.probe("kafka"), readiness.fine("draining"));
        assert_eq!(kafka.failure().unwrap().to_string(), "not checked yet");
        assert!(!readiness.is_ready());
        kafka.pass();
        assert!(readiness.is_ready());
        draining.fail("the process is going down", "");
        let clone = draining.clone();
        assert_eq!(
            readiness.report(),
            [("kafka", None), ("draining", clone.failure())]
        );
        assert!(!readiness.is_ready());
    }
}
