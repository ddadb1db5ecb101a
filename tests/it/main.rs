//! End-to-end tests: real Kafka, real ClickHouse, real binaries. One file per question.
//!
//! What is expected comes from the sender's ledger or is written by hand, never from the programs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test fails the test by panicking"
)]

mod alerts;
mod backfill;
mod backlog;
mod bad_input;
mod configuration;
mod customization;
mod data_error;
mod endpoint;
mod figures;
mod generations;
mod handover;
mod healing;
mod hidden_brokers;
mod main_path;
mod managing;
mod missing_topic;
mod orders;
mod outage;
mod poison;
mod pressure;
mod profile;
mod refusals;
mod reload;
mod replay;
mod restart;
mod secrets;
mod secured_kafka;
mod send;
mod simulate;
mod sources;
mod spool_command;
mod templates;
mod unfinished;
mod unread_log;
mod upkeep;
mod verify;
mod watch;
