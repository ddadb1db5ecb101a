//! Any bytes against what strangers reach: ingest's connection, the raw record's encoding, and the
//! way from a query and a body to a row.
//!
//! [`connection::check`], [`record::check`] and [`normalise::check`] take any bytes and panic when a promise is broken.
//! They are run in two ways: by the tests of this crate, on the inputs of `corpus/` and on some
//! thousands that [`mutation`] makes of them; and by `cargo xtask fuzz`, where libFuzzer chooses
//! inputs by the code that they reach.

#![warn(missing_docs)]

pub mod connection;
pub mod mutation;
pub mod normalise;
pub mod record;
