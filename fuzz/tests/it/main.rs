//! The fuzzers' bodies on the inputs of `corpus/`, and on thousands that are made of them.
//!
//! `POSTBACK_FUZZ_RUNS=1000000` for a long run from seeds that no run had before,
//! `POSTBACK_FUZZ_SEED=…` for one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may fail by panicking"
)]

mod connection;
mod corpus;
mod made;
mod normalise;
mod record;
