//! Inputs that are made of others, one for each seed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use postback_fuzz::mutation::Mutator;

use crate::corpus;

/// Checks as many inputs as the environment says, or `runs`.
pub(crate) fn check_many(target: &str, runs: u64, mut check: impl FnMut(&[u8])) {
    let kept = corpus::inputs(target).into_iter();
    let kept: Vec<Vec<u8>> = kept.map(|kept| kept.bytes).collect();
    let words = corpus::words(target);
    for seed in seeds(runs) {
        let input = Mutator::new(&kept, &words, seed).next_input();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&input))) {
            let input = input.escape_ascii();
            eprintln!("failed with POSTBACK_FUZZ_SEED={seed}: {input}");
            resume_unwind(panic);
        }
    }
}

fn seeds(runs: u64) -> impl Iterator<Item = u64> {
    let one = from_environment("POSTBACK_FUZZ_SEED");
    let long = from_environment("POSTBACK_FUZZ_RUNS");
    let first = one.or_else(|| long.map(|_| new_seed())).unwrap_or(0);
    let count = if one.is_some() {
        1
    } else {
        long.unwrap_or(runs)
    };
    (0..count).map(move |number| first.wrapping_add(number))
}

fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // Seeds of two runs are so far apart that they do not overlap.
    now.as_secs() << 32
}

/// Whether a run is the short one, whose inputs are always the same.
pub(crate) fn is_short() -> bool {
    let variables = ["POSTBACK_FUZZ_SEED", "POSTBACK_FUZZ_RUNS"];
    variables
        .iter()
        .all(|name| std::env::var_os(name).is_none())
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a whole number"))
}
