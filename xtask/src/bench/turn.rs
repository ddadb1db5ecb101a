//! One turn of one server: every load, and what each cost.

use std::collections::BTreeMap;

use anyhow::bail;
use postback_load::Quantiles;
use postback_stack::Cancellation;
use serde::Serialize;

use super::Options;
use super::host;
use super::load::{self, Load};
use super::place::Place;
use super::server::{Server, Variant};

/// Before it is measured, a server has this load for this many seconds: memory is allocated, and the
/// way by which it answers is found.
const WARM_UP: (Load, u64) = (Load::Closed { connections: 8 }, 2);

/// More connections than ingest takes would measure the queue in front of it.
const CROWD: Load = Load::Crowd {
    rate: 2_000,
    connections: 10_000,
};

/// Every connection of the crowd carries at least one request.
const CROWD_SECONDS: u64 = 8;

/// A load on a server, measured once.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Turn {
    pub(super) variant: Variant,
    pub(super) load: Load,
    /// CPU time of the server's process for each answered request, in µs.
    pub(super) cpu_us: f64,
    /// The same by the names of its threads.
    pub(super) threads_us: BTreeMap<String, f64>,
    pub(super) requests_per_second: f64,
    /// Requests that were not answered with a status from 200 to 299.
    pub(super) failed: u64,
    /// From the planned time; of a closed loop, from the sending.
    pub(super) latency_us: Quantiles,
    /// The same without the sender's own stalls.
    pub(super) without_own_stalls_us: Quantiles,
    /// CPU time of the sender for each request, in µs.
    pub(super) sender_cpu_us: f64,
    /// Most memory of the server meanwhile, in MiB.
    pub(super) resident_mib: f64,
    /// Share of the answers that came after the spool's confirmation; `None` where ingest does not
    /// say.
    pub(super) by_spool: Option<f64>,
}

/// Starts the server, sends every load, stops the server.
pub(super) fn take(
    variant: Variant,
    options: &Options,
    place: &Place,
    cancellation: &Cancellation,
) -> anyhow::Result<Vec<Turn>> {
    let server = Server::start(variant, place, cancellation)?;
    load::send(WARM_UP.0, WARM_UP.1, server.pid(), place, cancellation)?;
    let turns =
        Load::ALL.map(|load| measure(variant, load, options.seconds, &server, place, cancellation));
    drop(server);
    place.empty_spool()?;
    turns.into_iter().collect()
}

/// Memory of ingest with 10,000 open connections while Kafka is frozen.
pub(super) fn crowd(place: &Place, cancellation: &Cancellation) -> anyhow::Result<Turn> {
    let server = Server::start(Variant::Spool, place, cancellation)?;
    load::send(WARM_UP.0, WARM_UP.1, server.pid(), place, cancellation)?;
    let turn = measure(
        Variant::Spool,
        CROWD,
        CROWD_SECONDS,
        &server,
        place,
        cancellation,
    );
    drop(server);
    place.empty_spool()?;
    turn
}

fn measure(
    variant: Variant,
    load: Load,
    seconds: u64,
    server: &Server<'_>,
    place: &Place,
    cancellation: &Cancellation,
) -> anyhow::Result<Turn> {
    let before = (
        host::cpu(server.pid())?,
        host::cpu_by_thread(server.pid())?,
        server.ways(),
    );
    let seen = load::send(load, seconds, server.pid(), place, cancellation)?;
    let (cpu, threads, ways) = before;
    if seen.answered == 0 {
        bail!("{variant} answers nothing: {}", place.printed());
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let each = 1e6 / seen.answered as f64;
    let threads_us = host::cpu_by_thread(server.pid())?.into_iter();
    let threads_us = threads_us.map(|(name, after)| {
        let before = threads.get(&name).copied().unwrap_or_default();
        (name, (after - before) * each)
    });
    Ok(Turn {
        variant,
        load,
        threads_us: threads_us.filter(|(_, us)| *us > 0.0).collect(),
        cpu_us: (host::cpu(server.pid())? - cpu) * each,
        requests_per_second: seen.requests_per_second,
        failed: seen.failed,
        latency_us: seen.latency,
        without_own_stalls_us: seen.without_own_stalls,
        sender_cpu_us: seen.sender_cpu_us,
        resident_mib: seen.resident_mib,
        by_spool: by_spool(&ways, &server.ways()),
    })
}

fn by_spool(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> Option<f64> {
    let new = |way: &String| after.get(way).unwrap_or(&0.0) - before.get(way).unwrap_or(&0.0);
    let all: f64 = after.keys().map(new).sum();
    (all > 0.0).then(|| new(&"spool".to_owned()) / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_the_spool_is_that_of_the_new_answers() {
        let ways = |kafka, spool| {
            BTreeMap::from([("kafka".to_owned(), kafka), ("spool".to_owned(), spool)])
        };
        assert_eq!(by_spool(&ways(100.0, 0.0), &ways(101.0, 3.0)), Some(0.75));
        assert_eq!(by_spool(&ways(1.0, 1.0), &ways(1.0, 1.0)), None);
        assert_eq!(by_spool(&BTreeMap::new(), &BTreeMap::new()), None);
    }
}
