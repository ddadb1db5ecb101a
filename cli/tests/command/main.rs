//! The command as a person meets it: what it prints, and its exit codes.
//!
//! `help` and `errors` need no server. `reports` needs ClickHouse, by `POSTBACK__CLICKHOUSE__URL`,
//! `…__USER` and `…__PASSWORD`; `cargo xtask stack up` prints them.

#![expect(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod backfill;
mod compared;
mod endpoint;
mod errors;
mod generation;
mod help;
mod installed;
mod networks;
mod orders;
mod pushes;
mod queries;
mod reports;
mod run;
mod secure;
mod sending;
mod silent;
mod sources;
mod spool;
mod tail;
mod words;
