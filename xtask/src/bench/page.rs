//! The figures as Markdown, for a terminal and for `docs/benchmarks.md`.

use postback_load::Quantiles;

use super::figures::{Figures, Measured};
use super::load::Load;
use super::targets::Target;

/// Machine, tables, verdict.
pub(super) fn write(figures: &Figures) -> String {
    let mut text = machine(figures);
    text.push_str("\n### CPU and throughput\n\n");
    text.push_str(&table(
        &[
            "load",
            "server",
            "CPU µs a request",
            "against (a)",
            "requests/s",
            "not 2xx",
            "p50 / p99 / p99.9 / max ms",
            "RSS MiB",
            "by spool",
            "sender's CPU µs",
        ],
        figures.measured.iter().map(row),
    ));
    text.push_str("\n### Latency at fixed rates, without the sender's own stalls\n\n");
    let open = figures.measured.iter();
    let open = open.filter(|measured| matches!(measured.load, Load::Open { .. }));
    text.push_str(&table(
        &["load", "server", "p50 ms", "p99 ms", "p99.9 ms", "max ms"],
        open.map(latency_row),
    ));
    text.push_str("\n### CPU by thread, µs a request\n\n");
    let shown = [
        Load::Closed { connections: 256 },
        Load::Open { rate: 2_000 },
    ];
    let loads = figures.measured.iter();
    let loads = loads.filter(|measured| shown.contains(&measured.load));
    text.push_str(&table(
        &["load", "server", "threads"],
        loads.map(threads_row),
    ));
    text.push_str("\n### Memory and start\n\n");
    text.push_str(&table(&["what", "measured"], others(figures).into_iter()));
    text.push_str("\n### Targets\n\n");
    text.push_str(&targets_table(&figures.targets));
    text
}

/// What was to be met, and whether it was.
pub(super) fn targets_table(targets: &[Target]) -> String {
    table(
        &["target", "at most", "measured", ""],
        targets.iter().map(|target| {
            vec![
                target.what.clone(),
                format!("{} {}", target.at_most, target.unit),
                format!("{:.2} {}", target.measured, target.unit),
                if target.met { "met" } else { "**missed**" }.to_owned(),
            ]
        }),
    )
}

fn machine(figures: &Figures) -> String {
    format!(
        "{host}. Server on processor {server}, sender and broker on {senders}. \
         Medians of {rounds} rounds, {seconds} s a load.\n",
        host = figures.host.line(),
        server = figures.placement.server,
        senders = figures.placement.sender_and_broker,
        rounds = figures.rounds,
        seconds = figures.seconds,
    )
}

fn row(measured: &Measured) -> Vec<String> {
    let Quantiles {
        p50,
        p99,
        p99_9,
        max,
    } = measured.latency_us;
    vec![
        measured.load.name(),
        measured.variant.to_string(),
        format!("{:.1}", measured.cpu_us),
        format!("{:.2}", measured.against_bare),
        format!("{:.0}", measured.requests_per_second),
        measured.failed.to_string(),
        [p50, p99, p99_9, max].map(ms).join(" / "),
        format!("{:.0}", measured.resident_mib),
        measured
            .by_spool
            .map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share)),
        format!("{:.1}", measured.sender_cpu_us),
    ]
}

fn latency_row(measured: &Measured) -> Vec<String> {
    let Quantiles {
        p50,
        p99,
        p99_9,
        max,
    } = measured.without_own_stalls_us;
    let mut row = vec![measured.load.name(), measured.variant.to_string()];
    row.extend([p50, p99, p99_9, max].map(ms));
    row
}

fn threads_row(measured: &Measured) -> Vec<String> {
    let mut threads: Vec<(&String, &f64)> = measured.threads_us.iter().collect();
    threads.sort_by(|one, other| other.1.total_cmp(one.1));
    let shown = threads
        .into_iter()
        .filter(|(_, us)| **us >= 0.05)
        .map(|(name, us)| format!("{name} {us:.1}"));
    vec![
        measured.load.name(),
        measured.variant.to_string(),
        shown.collect::<Vec<_>>().join(", "),
    ]
}

fn others(figures: &Figures) -> Vec<Vec<String>> {
    let crowd = &figures.crowd;
    let starts = &figures.starts;
    let row = |what: String, measured: String| vec![what, measured];
    vec![
        row(
            format!("RSS of (c) at {}", crowd.load.name()),
            format!(
                "{:.0} MiB ({} not 2xx, p99.9 {} ms)",
                crowd.resident_mib,
                crowd.failed,
                ms(crowd.without_own_stalls_us.p99_9)
            ),
        ),
        row(
            "from start to listening, empty spool".to_owned(),
            format!("{:.0} ms", starts.empty_spool_ms),
        ),
        row(
            format!(
                "from start to listening, {} MiB in the spool",
                starts.full_spool_mib
            ),
            format!("{:.0} ms", starts.full_spool_ms),
        ),
    ]
}

/// Milliseconds with as many digits as matter.
fn ms(us: u64) -> String {
    let ms = us / 1000;
    let rest = us % 1000;
    if ms < 10 {
        format!("{ms}.{:02}", rest / 10)
    } else {
        format!("{ms}.{}", rest / 100)
    }
}

/// A Markdown table with its columns aligned.
pub(super) fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut all = vec![head.iter().map(|cell| (*cell).to_owned()).collect()];
    all.extend(rows);
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row: &Vec<String>| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for (index, row) in all.iter().enumerate() {
        line(&mut text, row, &widths);
        if index == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            line(&mut text, &rule, &widths);
        }
    }
    text
}

fn line(text: &mut String, cells: &[String], widths: &[usize]) {
    for (cell, width) in cells.iter().zip(widths) {
        text.push_str(&format!("| {cell:<width$} "));
    }
    text.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned() {
        let rows = [vec!["µs".to_owned(), "1".to_owned()]];
        let expected = "| a  | bcd |\n| -- | --- |\n| µs | 1   |\n";
        assert_eq!(table(&["a", "bcd"], rows.into_iter()), expected);
    }

    #[test]
    fn milliseconds() {
        assert_eq!(ms(999), "0.99");
        assert_eq!(ms(9_876), "9.87");
        assert_eq!(ms(123_456), "123.4");
    }
}
