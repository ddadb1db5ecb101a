//! The figures as Markdown, for a terminal and for `docs/benchmarks.md`.

use super::super::page::{table, targets_table};
use super::cost::Cost;
use super::figures::Figures;

/// Machine, costs, verdict.
pub(super) fn write(figures: &Figures) -> String {
    let host = &figures.host;
    let mut text = format!(
        "{}; {records} raw records of {bytes} bytes.\n\n",
        host.line(),
        records = figures.records,
        bytes = figures.record_bytes,
    );
    text.push_str(&table(
        &[
            "CPU-seconds per million",
            "loader",
            "ClickHouse",
            "of it merges afterwards",
            "together",
            "rows/s",
            "RSS loader / ClickHouse MiB",
            "bytes a row on disk",
        ],
        figures.costs.iter().map(row),
    ));
    text.push_str("\n### Targets\n\n");
    text.push_str(&targets_table(&figures.targets));
    text
}

fn row(cost: &Cost) -> Vec<String> {
    let sizes = cost.bytes_a_row.iter();
    let sizes = sizes.map(|(table, bytes)| format!("{table} {bytes:.0}"));
    vec![
        cost.way.name().to_owned(),
        format!("{:.2}", cost.loader_cpu),
        format!("{:.2}", cost.clickhouse_cpu),
        format!("{:.2}", cost.clickhouse_cpu - cost.clickhouse_cpu_loading),
        format!("{:.2}", cost.cpu()),
        format!("{:.0}", cost.rows_per_second),
        format!(
            "{:.0} / {:.0}",
            cost.loader_resident_mib, cost.clickhouse_resident_mib
        ),
        sizes.collect::<Vec<_>>().join(", "),
    ]
}
