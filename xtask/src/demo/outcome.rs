//! What became of the postbacks: printed, and held against the sender's own ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::bail;
use postback_simulator::{Ledger, Outcome};
use postback_stack::Cancellation;

use super::expected::{self, Expected};
use super::pipeline::Pipeline;
use super::site::Site;
use super::tables::{self, Tables};
use crate::report;

/// How long loading may stand still.
const STANDSTILL: Duration = Duration::from_secs(60);

/// How long nothing may come any more until what Kafka was late for counts as loaded.
const QUIET: Duration = Duration::from_secs(3);

/// How often the table is counted.
const LOOK: Duration = Duration::from_millis(100);

/// Waits until the tables hold everything that the ledger says was acknowledged.
///
/// # Errors
/// When loading stands still, or a service ends.
pub(super) fn wait_until_loaded(
    ledger: &Ledger,
    site: &Site,
    pipeline: &Pipeline,
    cancellation: &Cancellation,
) -> anyhow::Result<()> {
    report::step("Waiting until all is loaded");
    let wanted = ledger.counts().acknowledged;
    let quiet = if expected::has_open(ledger) {
        QUIET
    } else {
        Duration::ZERO
    };
    let (mut loaded, mut changed) = (0, Instant::now());
    loop {
        let now = tables::postbacks(site)?;
        if now > loaded {
            (loaded, changed) = (now, Instant::now());
        }
        if loaded >= wanted && changed.elapsed() >= quiet {
            let (_, missing) = expected::hold_against(ledger, &tables::ids(site)?);
            if missing == 0 {
                return Ok(());
            }
        }
        if changed.elapsed() > STANDSTILL {
            bail!("loading stands still at {loaded} of {wanted}");
        }
        pipeline.check()?;
        cancellation.sleep(LOOK)?;
    }
}

/// Prints what was sent, answered, loaded and rejected, and compares the tables with the ledger.
/// Returns whether they are equal.
pub(super) fn print(ledger: &Ledger, site: &Site) -> anyhow::Result<bool> {
    let ids = tables::ids(site)?;
    let (added, missing) = expected::hold_against(ledger, &ids);
    let expected = Expected::of(ledger, &tables::queries(site, &added)?);
    let tables = Tables::read(site)?;
    print_counts(ledger, &expected, &tables);

    let mut faults = expected::wrong_answers(ledger);
    compare(&mut faults, "acknowledged and not loaded", &missing, &0);
    compare(
        &mut faults,
        "loaded, and never sent",
        &expected.unexplained,
        &0,
    );
    compare(
        &mut faults,
        "postbacks loaded",
        &tables.accepted,
        &expected.accepted,
    );
    compare(
        &mut faults,
        "postbacks rejected",
        &tables.rejected,
        &expected.rejected,
    );
    compare(
        &mut faults,
        "conversions",
        &tables.conversions,
        &expected.conversions,
    );
    compare_money(&mut faults, &tables.money, &expected.money);
    if faults.is_empty() {
        println!("Each count, and the money in each currency, is what the sender's ledger says.");
    } else {
        println!("THIS IS NOT WHAT THE SENDER'S OWN LEDGER SAYS:");
    }
    for fault in &faults {
        println!("  {fault}");
    }
    Ok(faults.is_empty())
}

fn print_counts(ledger: &Ledger, expected: &Expected, tables: &Tables) {
    let counts = ledger.counts();
    println!();
    line("sent", counts.planned);
    line("acknowledged (200)", counts.acknowledged);
    for (answer, number) in other_answers(ledger) {
        line(&answer, number);
    }
    if expected.late > 0 {
        line("  late, and loaded all the same", expected.late);
    }
    line("loaded", tables.accepted);
    line("rejected", tables.rejected);
    for (reason, number) in &tables.rejections {
        line(&format!("  {reason}"), *number);
    }
    line("conversions, repeats counted once", tables.conversions);
}

fn line(what: &str, number: u64) {
    println!("{what:<36} {number:>8}");
}

/// What else than 200 the network got, and how often.
fn other_answers(ledger: &Ledger) -> BTreeMap<String, u64> {
    let mut answers = BTreeMap::new();
    for attempt in ledger
        .entries
        .iter()
        .filter_map(|entry| entry.attempt.as_ref())
    {
        let answer = match &attempt.outcome {
            Outcome::Answered { status: 200, .. } => continue,
            Outcome::Answered { status, .. } => format!("refused ({status})"),
            Outcome::Failed { failure, .. } => format!("no answer ({failure:?})"),
        };
        *answers.entry(answer).or_default() += 1;
    }
    answers
}

fn compare<T: PartialEq + Display>(faults: &mut Vec<String>, what: &str, found: &T, expected: &T) {
    if found != expected {
        faults.push(format!("{what}: {found} instead of {expected}"));
    }
}

fn compare_money(
    faults: &mut Vec<String>,
    found: &BTreeMap<String, String>,
    expected: &BTreeMap<String, String>,
) {
    for currency in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        let text = |money: &BTreeMap<String, String>| {
            money
                .get(currency)
                .cloned()
                .unwrap_or_else(|| "nothing".to_owned())
        };
        compare(
            faults,
            &format!("money in {currency}"),
            &text(found),
            &text(expected),
        );
    }
}
