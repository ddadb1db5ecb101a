//! All that was measured, and the medians.

use std::collections::BTreeMap;

use postback_load::Quantiles;
use serde::Serialize;

use super::Options;
use super::host::Host;
use super::load::Load;
use super::place::Processor;
use super::server::Variant;
pub(super) use super::start::Starts;
use super::targets::{self, Target};
use super::turn::Turn;

/// A benchmark's result.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    pub(super) host: Host,
    pub(super) placement: Placement,
    pub(super) rounds: u64,
    pub(super) seconds: u64,
    /// Medians of the turns.
    pub(super) measured: Vec<Measured>,
    pub(super) turns: Vec<Turn>,
    pub(super) crowd: Turn,
    pub(super) starts: Starts,
    pub(super) targets: Vec<Target>,
}

/// Which processors were whose, as `taskset` has them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Placement {
    pub(super) server: String,
    pub(super) sender_and_broker: String,
}

/// Medians of a load on a variant, each figure for itself.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measured {
    pub(super) variant: Variant,
    pub(super) load: Load,
    pub(super) cpu_us: f64,
    /// CPU time against that of the bare server: the median of each round's ratio.
    pub(super) against_bare: f64,
    pub(super) threads_us: BTreeMap<String, f64>,
    pub(super) requests_per_second: f64,
    /// Of all turns together.
    pub(super) failed: u64,
    pub(super) latency_us: Quantiles,
    pub(super) without_own_stalls_us: Quantiles,
    pub(super) sender_cpu_us: f64,
    pub(super) resident_mib: f64,
    pub(super) by_spool: Option<f64>,
}

impl Figures {
    pub(super) fn new(
        host: Host,
        options: &Options,
        turns: Vec<Turn>,
        crowd: Turn,
        starts: Starts,
    ) -> Self {
        let measured: Vec<Measured> = Variant::ALL
            .iter()
            .flat_map(|variant| Load::ALL.map(|load| Measured::of(&turns, *variant, load)))
            .collect();
        Self {
            host,
            placement: Placement {
                server: Processor::Server.list(),
                sender_and_broker: Processor::Senders.list(),
            },
            rounds: options.rounds,
            seconds: options.seconds,
            targets: targets::judge(&measured, &crowd, &starts),
            measured,
            turns,
            crowd,
            starts,
        }
    }
}

impl Measured {
    fn of(turns: &[Turn], variant: Variant, load: Load) -> Self {
        let of = |variant| {
            let own = turns.iter();
            own.filter(move |turn| turn.variant == variant && turn.load == load)
        };
        let all = |figure: fn(&Turn) -> f64| median(of(variant).map(figure).collect());
        let ratios = of(variant).zip(of(Variant::Bare));
        let names = of(variant).flat_map(|turn| turn.threads_us.keys());
        let threads = names.map(|name| {
            let figures = of(variant).map(|turn| turn.threads_us.get(name).copied());
            let figures = figures.map(Option::unwrap_or_default).collect();
            (name.clone(), median(figures))
        });
        let shares: Vec<f64> = of(variant).filter_map(|turn| turn.by_spool).collect();
        Self {
            variant,
            load,
            cpu_us: all(|turn| turn.cpu_us),
            against_bare: median(ratios.map(|(own, bare)| own.cpu_us / bare.cpu_us).collect()),
            threads_us: threads.collect(),
            requests_per_second: all(|turn| turn.requests_per_second),
            failed: of(variant).map(|turn| turn.failed).sum(),
            latency_us: quantiles(of(variant).map(|turn| turn.latency_us)),
            without_own_stalls_us: quantiles(of(variant).map(|turn| turn.without_own_stalls_us)),
            sender_cpu_us: all(|turn| turn.sender_cpu_us),
            resident_mib: all(|turn| turn.resident_mib),
            by_spool: (!shares.is_empty()).then(|| median(shares)),
        }
    }
}

/// The median of each quantile.
fn quantiles(all: impl Iterator<Item = Quantiles>) -> Quantiles {
    let all: Vec<Quantiles> = all.collect();
    let middle = |figure: fn(&Quantiles) -> u64| {
        let mut figures: Vec<u64> = all.iter().map(figure).collect();
        figures.sort_unstable();
        figures.get(figures.len() / 2).copied().unwrap_or_default()
    };
    Quantiles {
        p50: middle(|all| all.p50),
        p99: middle(|all| all.p99),
        p99_9: middle(|all| all.p99_9),
        max: middle(|all| all.max),
    }
}

/// The median; of an even number the mean of the two in the middle, of none 0.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.as_slice() {
        [] => 0.0,
        figures if figures.len().is_multiple_of(2) => {
            f64::midpoint(figures[middle - 1], figures[middle])
        }
        figures => figures[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!(median(Vec::new()).abs() < f64::EPSILON);
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
    }
}
