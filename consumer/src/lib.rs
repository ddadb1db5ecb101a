//! Reads raw postbacks from Kafka, normalises them and loads ClickHouse.
//!
//! **Counts once, without a second store**: a batch goes into `conversions`, then into `postbacks`,
//! then its offsets are committed. What a crash or a rebalance makes twice has the same key and
//! version, and the views fold it.
//!
//! The path of a record: `pipeline` reads it, `judge` sends it through the normaliser, `batch`
//! collects its `rows`, `load` stores them, `progress` says what may be committed.
//! `refusals` loads what ingest refused, beside all that.
//! `upkeep` looks after the tables, `endpoints` after the endpoints at the networks, `unread` measures
//! what waits, beside all that too. What works beside goes on after a panic: `lasting`.
//! `holds` keeps partitions that ClickHouse, or this version, cannot take. `start` comes before all
//! that, `pipeline::ending` after it.

pub mod args;
pub mod run;

mod batch;
mod coordinator;
mod crash;
mod denials;
mod endpoints;
mod generations;
mod health;
mod holds;
mod judge;
mod kafka;
mod lasting;
mod load;
mod metrics;
mod pipeline;
mod progress;
mod refusals;
mod role;
mod rows;
mod start;
mod tally;
mod unread;
mod upkeep;
