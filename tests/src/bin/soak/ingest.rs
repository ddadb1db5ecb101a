//! `postback-soak ingest`: every fault against a real ingest and a real Kafka.

use std::time::Duration;

use clap::Args;
use postback_tests::faults::{Account, Fault, Length, run};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How often each fault is played
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Only the faults whose names hold this
    #[arg(long, value_name = "TEXT", default_value = "")]
    fault: String,
    /// Requests a second
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=5000))]
    rate: u32,
}

/// Whether all promises were kept.
pub(crate) fn soak(arguments: &Arguments) -> bool {
    let mut kept = true;
    println!("{}", head());
    for round in 1..=arguments.rounds {
        let chosen = Fault::ALL.into_iter();
        for fault in chosen.filter(|fault| fault.to_string().contains(&arguments.fault)) {
            eprintln!("round {round} of {}: {fault}", arguments.rounds);
            let length = Length::full(fault, arguments.rate);
            let account = run(fault, &length);
            println!("{}", row(fault, &account));
            if !account.broken.is_empty() {
                kept = false;
                eprintln!("{account}");
            }
        }
    }
    kept
}

/// Column names, and what stands below them.
fn head() -> String {
    let names = [
        "fault",
        "attempts",
        "2xx in time",
        "own stalls excused",
        "503",
        "503 for the disk",
        "unanswered",
        "slowest ms",
        "longest own stall ms",
        "longest sync ms",
        "acknowledged",
        "missing",
        "copies: slow / around",
        "normal after s",
        "broken",
    ];
    super::head(&names)
}

fn row(fault: Fault, account: &Account) -> String {
    let millis = |time: Duration| time.as_millis().to_string();
    let cells = [
        fault.to_string(),
        account.attempts.to_string(),
        account.in_time.to_string(),
        account.in_time_but_for_own_stalls.to_string(),
        account.refused.to_string(),
        account.refused_for_the_disk.to_string(),
        account.unanswered.to_string(),
        millis(account.slowest),
        millis(account.own_stall),
        millis(account.longest_sync),
        account.acknowledged.to_string(),
        account.missing.to_string(),
        format!("{} / {}", account.copies_of_slow, account.copies_around),
        format!("{:.1}", account.normal_after.as_secs_f64()),
        account.broken.len().to_string(),
    ];
    super::row(&cells)
}
