//! `postback-soak`: what the tests play for seconds, at full length. `cargo xtask soak` builds and
//! runs it. Ends by itself; exit code 3 when a promise was broken.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program: results on standard output, progress on standard error"
)]

mod ingest;
mod load;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// It ran, and a promise was broken.
const BROKEN: u8 = 3;

#[derive(Debug, Parser)]
#[command(name = "postback-soak", about = "Plays faults on a part under load")]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Every fault against a real ingest and a real Kafka
    Ingest(ingest::Arguments),
    /// Every interruption of loading, on real consumers, Kafka and ClickHouse
    Load(load::Arguments),
}

fn main() -> ExitCode {
    let kept = match Arguments::parse().part {
        Part::Ingest(arguments) => ingest::soak(&arguments),
        Part::Load(arguments) => load::soak(&arguments),
    };
    if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BROKEN)
    }
}

/// Column names, and what stands below them.
fn head(names: &[&str]) -> String {
    let rule: Vec<String> = names.iter().map(|name| "-".repeat(name.len())).collect();
    format!("| {} |\n| {} |", names.join(" | "), rule.join(" | "))
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}
