//! What a run has to tell, as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::{Failure, Ledger, Outcome};
use crate::quantiles::{Latencies, Quantiles};

/// Of a [`ClosedLoop`](crate::ClosedLoop).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClosedReport {
    /// Connections at once.
    pub connections: usize,
    /// How long it took.
    pub seconds: f64,
    /// Requests that were answered.
    pub answered: u64,
    /// Of these, with a status from 200 to 299.
    pub succeeded: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer, by reason.
    pub failures: BTreeMap<String, u64>,
    /// Answered requests a second.
    pub requests_per_second: f64,
    /// From the sending of a request to its answer: the time of a sender that waits, not the time
    /// that a network would see.
    pub latency_us: Quantiles,
    /// CPU time of the sender for each answered request, in µs.
    pub own_cpu_us: f64,
}

/// Of an [`OpenLoop`](crate::OpenLoop).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenReport {
    /// Requests that were to be sent.
    pub attempts: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Of these, with a status from 200 to 299.
    pub succeeded: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Attempts without an answer, by reason.
    pub failures: BTreeMap<String, u64>,
    /// From the planned time to the end.
    pub latency_us: Quantiles,
    /// The same without what the sender itself stood still.
    pub without_own_stalls_us: Quantiles,
    /// What the sender itself stood still, for each attempt.
    pub own_stalls_us: Quantiles,
    /// Most connections at once.
    pub connections: usize,
    /// CPU time of the sender for each attempt, in µs.
    pub own_cpu_us: f64,
}

/// Answers and failures, counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<Failure, u64>,
}

impl Tally {
    pub(crate) fn answered(&mut self, status: u16) {
        *self.statuses.entry(status).or_default() += 1;
    }

    pub(crate) fn failed(&mut self, failure: Failure) {
        *self.failures.entry(failure).or_default() += 1;
    }

    fn all_answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    fn succeeded(&self) -> u64 {
        self.statuses.range(200..300).map(|(_, count)| count).sum()
    }

    fn failures(&self) -> BTreeMap<String, u64> {
        let named = self
            .failures
            .iter()
            .map(|(failure, count)| (failure.as_str().to_owned(), *count));
        named.collect()
    }
}

impl ClosedReport {
    pub(crate) fn new(
        connections: usize,
        took: Duration,
        tally: &Tally,
        latency_us: Quantiles,
        cpu: Duration,
    ) -> Self {
        let answered = tally.all_answered();
        Self {
            connections,
            seconds: took.as_secs_f64(),
            answered,
            succeeded: tally.succeeded(),
            statuses: tally.statuses.clone(),
            failures: tally.failures(),
            requests_per_second: float(answered) / took.as_secs_f64(),
            latency_us,
            own_cpu_us: micros(cpu) / float(answered.max(1)),
        }
    }
}

impl OpenReport {
    /// Sums a ledger up.
    ///
    /// # Errors
    /// When there is no memory for histograms.
    pub fn of(ledger: &Ledger) -> anyhow::Result<Self> {
        let mut tally = Tally::default();
        let [mut latency, mut without, mut own] =
            [Latencies::new()?, Latencies::new()?, Latencies::new()?];
        for attempt in &ledger.attempts {
            match attempt.outcome {
                Outcome::Answered { status, .. } => tally.answered(status),
                Outcome::Failed(failure) => tally.failed(failure),
            }
            latency.add(attempt.latency());
            without.add(attempt.without_own_stall());
            own.add(attempt.own_stall);
        }
        let attempts = ledger.attempts.len() as u64;
        Ok(Self {
            attempts,
            answered: tally.all_answered(),
            succeeded: tally.succeeded(),
            statuses: tally.statuses.clone(),
            failures: tally.failures(),
            latency_us: latency.quantiles(),
            without_own_stalls_us: without.quantiles(),
            own_stalls_us: own.quantiles(),
            connections: ledger.connections,
            own_cpu_us: micros(ledger.cpu) / float(attempts.max(1)),
        })
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts far below 2^52, for a person to read"
)]
fn float(count: u64) -> f64 {
    count as f64
}
