//! Answers postbacks and hands them to Kafka.
//!
//! A 2xx leaves only after the record is durable: confirmed by Kafka (`acks=all`, idempotent), or
//! synced to the disk of the spool. What neither confirms in time gets 503 before the network gives
//! up. No field of a postback is read here.
//!
//! The way of a request, one step a file:
//!
//! 1. [`listener`] accepts connections within bounds, through [`tls`] where that is configured, and
//!    ends them at shutdown; hyper reads them through [`target`], which keeps request targets as they
//!    came; [`caller`] says whose request it is, behind proxies too;
//! 2. [`gate`] finds the URL key among the [`sources`] and judges caller, method and query;
//! 3. [`body`] reads the body within its limit and time;
//! 4. [`accept`] wraps the bytes in a raw record, and [`storage`] hands it to [`kafka`], the
//!    [`spool`], or both: whichever confirms first, until the deadline. The [`breaker`] decides where
//!    it goes first;
//! 5. [`answer`] says what became of it.
//!
//! [`server`] strings 2 to 5 together and counts every outcome; what is refused leaves a trace in
//! [`refusals`]. Beside the requests, the spool is
//! drained, [`topic_watch`] keeps an eye on the topic and [`reload`] exchanges the sources; [`run`]
//! puts all of it together.

#![warn(missing_docs)]

pub mod accept;
pub mod answer;
pub mod args;
pub mod body;
pub mod breaker;
pub mod caller;
pub mod confirmation;
pub mod gate;
pub mod kafka;
pub mod limits;
pub mod listener;
pub mod metrics;
mod places;
pub mod refusals;
pub mod reload;
pub mod room;
pub mod run;
pub mod server;
pub mod sources;
pub mod spool;
pub mod storage;
pub mod target;
pub mod tls;
pub mod topic_watch;
