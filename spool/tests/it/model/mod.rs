//! Random runs on the forgetting disk against a model that knows only what was promised.
//!
//! `POSTBACK_SPOOL_RUNS=1000000` for a long run from seeds that no run had before,
//! `POSTBACK_SPOOL_SEED=…` for one. Seeds that ever failed stand in [`FAILED_ONCE`].

mod actions;
mod faults;
mod promises;
mod record;
mod run;
mod seen;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use postback_spool::disk::Dice;

use run::Run;
use seen::Seen;

/// Runs of the short form.
const RUNS: u64 = 2_000;

/// Seeds that found a defect, each run first for ever.
const FAILED_ONCE: [u64; 1] = [4];

#[test]
fn random_runs_keep_every_promise() {
    if let Some(seed) = from_environment("POSTBACK_SPOOL_SEED") {
        return run(seed);
    }
    let long = from_environment("POSTBACK_SPOOL_RUNS");
    let first = long.map_or(0, |_| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Dice::new(u64::try_from(now.as_nanos()).unwrap()).bits()
    });
    let runs = (0..long.unwrap_or(RUNS)).map(|n| first.wrapping_add(n));
    let mut seen = Seen::default();
    for seed in FAILED_ONCE.into_iter().chain(runs) {
        let ran = catch_unwind(AssertUnwindSafe(|| Run::new(seed).play()));
        match ran {
            Ok(run) => seen.add(&run),
            Err(panic) => {
                eprintln!("failed with POSTBACK_SPOOL_SEED={seed}");
                resume_unwind(panic);
            }
        }
    }
    eprintln!("{seen:?}");
    seen.check();
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a whole number"))
}

fn run(seed: u64) {
    Run::new(seed).play();
}
