//! The figures as Markdown.

use super::super::page::{table, targets_table};
use super::{Figures, State};

/// Machine, answers, verdict.
pub(super) fn write(figures: &Figures) -> String {
    let mut text = format!(
        "{}; {} conversions, {:.0} bytes a row; merging every month {:.1} CPU-seconds per million.\n",
        figures.host.line(),
        figures.rows,
        figures.bytes_a_row,
        figures.merge_cpu,
    );
    for state in &figures.states {
        text.push_str(&section(state));
    }
    text.push_str("\n### Targets\n\n");
    text.push_str(&targets_table(&figures.targets));
    text
}

fn section(state: &State) -> String {
    let rows = state.answered.iter().map(|answered| {
        vec![
            answered.name.to_owned(),
            format!("{:.0}", answered.wall_ms),
            format!("{:.0}", answered.cpu_ms),
        ]
    });
    format!(
        "\n### {} ({} parts)\n\n{}",
        state.name,
        state.parts,
        table(&["question", "ms", "CPU ms of ClickHouse"], rows)
    )
}
