//! What ingest is held against.

use postback_load::Quantiles;
use serde::Serialize;

use super::figures::{Measured, Starts};
use super::load::Load;
use super::server::Variant;
use super::turn::Turn;

/// One target and what was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Target {
    pub(super) what: String,
    pub(super) unit: &'static str,
    pub(super) measured: f64,
    pub(super) at_most: f64,
    pub(super) met: bool,
}

impl Target {
    pub(super) fn new(what: &str, unit: &'static str, measured: f64, at_most: f64) -> Self {
        Self {
            what: what.to_owned(),
            unit,
            measured,
            at_most,
            met: measured <= at_most,
        }
    }
}

/// Holds the figures against every target.
pub(super) fn judge(measured: &[Measured], crowd: &Turn, starts: &Starts) -> Vec<Target> {
    let full = Load::Closed { connections: 256 };
    let steady = Load::Open { rate: 2_000 };
    let find = |variant, load| {
        let mut all = measured.iter();
        all.find(|found| found.variant == variant && found.load == load)
    };
    let mut targets = Vec::new();
    if let Some(kafka) = find(Variant::Kafka, full) {
        let what = "CPU a request at 256 connections, through Kafka, against bare hyper";
        targets.push(Target::new(what, "×", kafka.against_bare, 1.7));
        let what = "memory at 256 connections";
        targets.push(Target::new(what, "MiB", kafka.resident_mib, 60.0));
    }
    if let Some(spool) = find(Variant::Spool, full) {
        let what = "CPU a request at 256 connections, through the spool, against bare hyper";
        targets.push(Target::new(what, "×", spool.against_bare, 3.0));
    }
    if let Some(kafka) = find(Variant::Kafka, steady) {
        let Quantiles { p50, p99_9, .. } = kafka.without_own_stalls_us;
        targets.extend([
            Target::new("CPU a request at 2,000/s", "µs", kafka.cpu_us, 45.0),
            Target::new("p50 at 2,000/s", "ms", ms(p50), 2.5),
            Target::new("p99.9 at 2,000/s", "ms", ms(p99_9), 20.0),
        ]);
    }
    let what = "memory with 10,000 connections in an outage";
    targets.push(Target::new(what, "MiB", crowd.resident_mib, 200.0));
    let what = format!("listening with {} MiB in the spool", starts.full_spool_mib);
    targets.push(Target::new(&what, "ms", starts.full_spool_ms, 100.0));
    targets
}

fn ms(us: u64) -> f64 {
    // Latencies are far below 2^32 µs.
    u32::try_from(us).map_or(f64::MAX, f64::from) / 1e3
}
