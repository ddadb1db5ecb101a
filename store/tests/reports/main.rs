//! Reports against a real ClickHouse: rows written by hand, figures calculated by hand.
//!
//! Needs `POSTBACK__CLICKHOUSE__URL`, `…__USER` and `…__PASSWORD`; `cargo xtask stack up` prints
//! them. Each test makes a database of its own and drops it.

#![expect(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod database;
mod sales;
mod summary;
mod trace;
