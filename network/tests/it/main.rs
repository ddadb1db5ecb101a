//! The API's client against a network that behaves, and against servers that do not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test fails the test by panicking"
)]

mod answers;
mod bodies;
mod docs;
mod limits;
mod secrets;
mod server;
mod settings;
mod simulator;
mod tokens;
