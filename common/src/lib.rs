//! What every Postback program agrees on: the records as they stand in Kafka, the configuration
//! file, the names of sources, every reason and flag that leaves the system, and secrets that do
//! not print themselves.
//!
//! This crate knows no network, no server and no runtime: it does no I/O of its own except reading
//! the configuration file and the secrets that the file names.

#![warn(missing_docs)]

pub mod addresses;
pub mod basic_auth;
pub mod causes;
pub mod config;
pub mod name;
pub mod place;
pub mod reason;
pub mod record;
pub mod refusal;
pub mod secret;
pub mod terminal;
pub mod url_key;
pub mod zone;
