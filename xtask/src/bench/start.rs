//! How long ingest takes until it listens.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::bail;
use postback_stack::Cancellation;
use serde::Serialize;

use super::Options;
use super::figures::median;
use super::place::{Place, READY};
use super::server;

/// What a full spool holds.
const FULL_MIB: u64 = 1024;

/// Starts of each kind are told by their median.
const STARTS: usize = 5;

/// Between two tries to connect.
const LOOK: Duration = Duration::from_millis(1);

/// From the start of the process to the first connection that it takes, in ms.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Starts {
    pub(super) empty_spool_ms: f64,
    pub(super) full_spool_ms: f64,
    pub(super) full_spool_mib: u64,
}

/// Starts ingest again and again, and kills it once it listens.
pub(super) fn measure(
    options: &Options,
    place: &Place,
    cancellation: &Cancellation,
) -> anyhow::Result<Starts> {
    let full_spool_mib = if options.quick { 64 } else { FULL_MIB };
    // The broker stands still, so that what is in the spool stays there.
    place.kafka.process().freeze()?;
    let starts = (|| {
        place.empty_spool()?;
        let empty_spool_ms = median_start(place, cancellation)?;
        place.empty_spool()?;
        place.fill_spool(full_spool_mib, cancellation)?;
        let full_spool_ms = median_start(place, cancellation)?;
        place.empty_spool()?;
        Ok(Starts {
            empty_spool_ms,
            full_spool_ms,
            full_spool_mib,
        })
    })();
    place.kafka.process().thaw()?;
    starts
}

fn median_start(place: &Place, cancellation: &Cancellation) -> anyhow::Result<f64> {
    let starts: anyhow::Result<Vec<f64>> = (0..STARTS)
        .map(|_| {
            cancellation.check()?;
            start(place)
        })
        .collect();
    Ok(median(starts?))
}

fn start(place: &Place) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let process = server::ingest(place)?;
    while TcpStream::connect(place.listen()).is_err() {
        if !process.is_running() || begin.elapsed() > READY {
            bail!("ingest does not listen: {}", place.printed());
        }
        std::thread::sleep(LOOK);
    }
    let took = begin.elapsed();
    process.kill();
    Ok(took.as_secs_f64() * 1e3)
}
