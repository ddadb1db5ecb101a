//! What loading is held against.

use super::super::targets::Target;
use super::cost::{Cost, Way};

/// Holds the figures against every target.
pub(super) fn judge(costs: &[Cost]) -> Vec<Target> {
    let find = |way| costs.iter().find(|cost| cost.way == way);
    let mut targets = Vec::new();
    if let Some(both) = find(Way::Both) {
        let unit = "CPU-s/million";
        targets.extend([
            Target::new(
                "both tables, consumer and ClickHouse",
                unit,
                both.cpu(),
                15.0,
            ),
            Target::new("both tables, the consumer", unit, both.loader_cpu, 4.0),
            Target::new(
                "memory of the consumer",
                "MiB",
                both.loader_resident_mib,
                300.0,
            ),
        ]);
    }
    if let (Some(one), Some(engine)) = (find(Way::One), find(Way::Engine)) {
        let what = "one table, against the Kafka engine of the same run";
        targets.push(Target::new(what, "×", one.cpu() / engine.cpu(), 1.2));
    }
    targets
}
