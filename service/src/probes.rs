//! Readiness: a few named probes, each fine or failing with a reason and a remedy.
//!
//! All of them must hold, but of those that can stand in for each other one suffices, and notices
//! only tell.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;
use tracing::{info, warn};

/// All probes of a process. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<Vec<Probe>>>);

/// One thing that must hold for the process to be ready. Cloning shares it; any thread may set it.
#[derive(Debug, Clone)]
pub struct Probe {
    name: &'static str,
    /// Others of this group can stand in for it.
    group: Option<&'static str>,
    /// The process can do its work without it.
    is_notice: bool,
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

/// What a probe says at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The probe's name.
    pub name: &'static str,
    /// Why it fails; `None` while it holds.
    pub failure: Option<Failure>,
    /// If it fails, the process is not ready: it is no notice, and nothing stands in for it.
    pub needed: bool,
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
        self.add(Probe::new(name, Some(unchecked())))
    }

    /// Adds a probe like [`Readiness::probe`] for which every other of the same group can stand in.
    #[must_use]
    pub fn one_of(&self, group: &'static str, name: &'static str) -> Probe {
        let probe = Probe::new(name, Some(unchecked()));
        let group = Some(group);
        self.add(Probe { group, ..probe })
    }

    /// Adds a probe that is fine until it is set.
    #[must_use]
    pub fn fine(&self, name: &'static str) -> Probe {
        self.add(Probe::new(name, None))
    }

    /// Adds a probe like [`Readiness::fine`] that the process can do its work without.
    #[must_use]
    pub fn notice(&self, name: &'static str) -> Probe {
        let is_notice = true;
        let probe = Probe::new(name, None);
        self.add(Probe { is_notice, ..probe })
    }

    fn add(&self, probe: Probe) -> Probe {
        locked(&self.0).push(probe.clone());
        probe
    }

    /// Every probe, in the order in which they were added.
    #[must_use]
    pub fn report(&self) -> Vec<Reported> {
        let probes = locked(&self.0).clone();
        let failures: Vec<_> = probes.iter().map(Probe::failure).collect();
        let stands_in = |group: &'static str| {
            let mut all = probes.iter().zip(&failures);
            all.any(|(probe, failure)| probe.group == Some(group) && failure.is_none())
        };
        let needed = |probe: &Probe| !probe.is_notice && !probe.group.is_some_and(stands_in);
        let reported = probes.iter().zip(&failures);
        reported
            .map(|(probe, failure)| Reported {
                name: probe.name,
                failure: failure.clone(),
                needed: needed(probe),
            })
            .collect()
    }

    /// Whether the process can do its work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.report().iter().all(Reported::lets_work)
    }
}

impl Reported {
    /// It holds, or the process can do without.
    #[must_use]
    pub fn lets_work(&self) -> bool {
        self.failure.is_none() || !self.needed
    }
}

/// One line: `ok   NAME`, `fail NAME: REASON: REMEDY`, or `warn …` where the process can do
/// without.
impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match &self.failure {
            None => write!(f, "ok   {name}"),
            Some(failure) if self.needed => write!(f, "fail {name}: {failure}"),
            Some(failure) => write!(f, "warn {name}: {failure}"),
        }
    }
}

/// `postback_probe_ok{probe}`
impl Collector for Readiness {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "1 while the probe holds";
        let kind = ConstGauge::new(0_u64).metric_type();
        let mut family = encoder.encode_descriptor("postback_probe_ok", help, None, kind)?;
        for reported in self.report() {
            let ok = ConstGauge::new(u64::from(reported.failure.is_none()));
            ok.encode(family.encode_family(&[("probe", reported.name)])?)?;
        }
        Ok(())
    }
}

fn unchecked() -> Failure {
    Failure {
        reason: "not checked yet".to_owned(),
        remedy: String::new(),
    }
}

impl Probe {
    fn new(name: &'static str, failure: Option<Failure>) -> Self {
        Self {
            name,
            group: None,
            is_notice: false,
            state: Arc::new(Mutex::new(failure)),
        }
    }

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
        let lines = |readiness: &Readiness| {
            let report = readiness.report();
            report.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let expected = ["ok   kafka", "fail draining: the process is going down"];
        assert_eq!(lines(&readiness), expected);
        assert!(!readiness.is_ready());
    }

    #[test]
    fn a_notice_is_shown_and_keeps_nobody_from_work() {
        let readiness = Readiness::new();
        let refusals = readiness.notice("refusals");
        assert_eq!(readiness.report()[0].to_string(), "ok   refusals");
        refusals.fail("no topic", "make it");
        let shown = readiness.report()[0].to_string();
        assert_eq!(shown, "warn refusals: no topic: make it");
        assert!(readiness.is_ready());
    }

    #[test]
    fn of_a_group_one_suffices() {
        let readiness = Readiness::new();
        let kafka = readiness.one_of("storage", "kafka");
        let spool = readiness.one_of("storage", "spool");
        let other = readiness.fine("draining");
        assert!(!readiness.is_ready());
        spool.pass();
        assert!(readiness.is_ready());
        let first = readiness.report()[0].to_string();
        assert_eq!(first, "warn kafka: not checked yet");
        kafka.pass();
        spool.fail("the disk is full", "make room");
        assert!(readiness.is_ready());
        kafka.fail("no broker answers", "start Kafka");
        assert!(!readiness.is_ready());
        assert_eq!(
            readiness.report()[1].to_string(),
            "fail spool: the disk is full: make room"
        );
        spool.pass();
        other.fail("the process is going down", "");
        assert!(!readiness.is_ready(), "nothing stands in for it");
    }
}
