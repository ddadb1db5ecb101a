//! Runs the sender, and watches the server meanwhile.

use std::fs::File;
use std::time::Duration;

use anyhow::{Context as _, bail};
use postback_load::{ClosedReport, OpenReport, Quantiles};
use postback_stack::Cancellation;
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use super::host;
use super::place::{Place, Processor};

/// How often the server's memory is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Load {
    /// So many connections, as fast as the server answers.
    Closed { connections: u32 },
    /// So many requests a second.
    Open { rate: u32 },
    /// So many requests a second, over so many connections in turn.
    Crowd { rate: u32, connections: u32 },
}

impl Load {
    /// What every variant gets. Closed loops first: memory is measured in a process that has not
    /// seen more connections than it says.
    pub(super) const ALL: [Self; 6] = [
        Self::Closed { connections: 8 },
        Self::Closed { connections: 64 },
        Self::Closed { connections: 256 },
        Self::Open { rate: 500 },
        Self::Open { rate: 2_000 },
        Self::Open { rate: 10_000 },
    ];

    pub(super) fn name(self) -> String {
        match self {
            Self::Closed { connections } => format!("{connections} connections"),
            Self::Open { rate } => format!("{rate}/s"),
            Self::Crowd { rate, connections } => format!("{rate}/s on {connections} connections"),
        }
    }

    fn arguments(self) -> Vec<String> {
        let words = match self {
            Self::Closed { connections } => format!("closed --connections {connections}"),
            Self::Open { rate } => format!("open --rate {rate}"),
            Self::Crowd { rate, connections } => {
                format!("open --rate {rate} --opened-ahead {connections}")
            }
        };
        words.split(' ').map(ToOwned::to_owned).collect()
    }
}

impl Serialize for Load {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// What the sender saw of a load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) answered: u64,
    /// Not answered with a status from 200 to 299.
    pub(super) failed: u64,
    pub(super) requests_per_second: f64,
    pub(super) latency: Quantiles,
    /// The latency without the sender's own stalls; of a closed loop, the latency.
    pub(super) without_own_stalls: Quantiles,
    pub(super) sender_cpu_us: f64,
    /// Most memory of the server, in MiB.
    pub(super) resident_mib: f64,
}

/// Sends a load to the server with this process id.
pub(super) fn send(
    load: Load,
    seconds: u64,
    server: u32,
    place: &Place,
    cancellation: &Cancellation,
) -> anyhow::Result<Seen> {
    let directory = tempfile::tempdir()?;
    let report = directory.path().join("report");
    let sender = place
        .program("postback-load", Processor::Senders)
        .args(load.arguments())
        .args(["--to".to_owned(), place.listen().to_string()])
        .args(["--target".to_owned(), place.target()])
        .args(["--seconds".to_owned(), seconds.to_string()])
        .log(&report)
        .spawn()?;
    let mut resident_mib = 0_f64;
    let status = loop {
        if let Some(status) = sender.wait_for(LOOK) {
            break status;
        }
        cancellation.check()?;
        resident_mib = resident_mib.max(host::resident_mib(server)?);
    };
    if !status.success() {
        bail!(
            "postback-load failed ({status}): {}",
            std::fs::read_to_string(&report)?
        );
    }
    let seen = match load {
        Load::Closed { .. } => closed(&read(&report)?),
        Load::Open { .. } | Load::Crowd { .. } => open(&read(&report)?, seconds),
    };
    Ok(Seen {
        resident_mib,
        ..seen
    })
}

fn read<R: DeserializeOwned>(report: &std::path::Path) -> anyhow::Result<R> {
    serde_json::from_reader(File::open(report)?).context("the sender's report is not to be read")
}

fn closed(report: &ClosedReport) -> Seen {
    Seen {
        answered: report.answered,
        failed: report.answered - report.succeeded + report.failures.values().sum::<u64>(),
        requests_per_second: report.requests_per_second,
        latency: report.latency_us,
        without_own_stalls: report.latency_us,
        sender_cpu_us: report.own_cpu_us,
        resident_mib: 0.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn open(report: &OpenReport, seconds: u64) -> Seen {
    Seen {
        answered: report.answered,
        failed: report.attempts - report.succeeded,
        requests_per_second: report.answered as f64 / seconds as f64,
        latency: report.latency_us,
        without_own_stalls: report.without_own_stalls_us,
        sender_cpu_us: report.own_cpu_us,
        resident_mib: 0.0,
    }
}
