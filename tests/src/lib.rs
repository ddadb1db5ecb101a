//! Harness of the end-to-end tests: the real binaries on a real Kafka and a real ClickHouse.
//!
//! [`Servers`] are shared by a whole test run and come from the environment, as `cargo xtask test`
//! sets it. Each test makes a [`Pipeline`] of its own beside the others: topic, database, URL key,
//! ports, configuration file, and the processes that it starts. Everything a process prints goes to
//! a file in the run's log directory, where the run's secrets are searched for at its end.
//!
//! A harness may panic: its panics are failed tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness fails by panicking"
)]

pub mod counts;
pub mod database;
pub mod door;
pub mod faults;
pub mod pipeline;
pub mod program;
pub mod raw;
pub mod secret;
pub mod servers;
pub mod topic;
pub mod wait;

pub use database::Database;
pub use pipeline::{Pipeline, Setup};
pub use program::{Finished, Program};
pub use servers::Servers;
pub use topic::Topic;
