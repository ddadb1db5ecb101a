//! Ingest in this process: the real listener on a port of its own, raw bytes on the sender's side,
//! and a stand-in for Kafka.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::float_cmp,
    reason = "tests; the counters are whole numbers"
)]

mod access;
mod answers;
mod connections;
mod ending;
mod hyper_run;
mod idling;
mod kafka;
mod overload;
mod pieces;
mod promise;
mod proxies;
mod records;
mod refusals;
mod reload;
mod secrecy;
mod storage;
mod support;
mod target;
mod target_stream;
mod tls;
mod topic;
