//! The spool as its users see it: one file per question.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail by panicking"
)]

mod adoption;
mod basic;
mod concurrency;
mod faults;
mod full;
mod model;
mod recovery;
mod rotation;
mod support;
