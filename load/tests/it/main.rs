//! The senders against a server whose behaviour is known.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test fails the test by panicking"
)]

mod closed;
mod open;
mod server;
