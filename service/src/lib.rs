//! What the running services share: signals and exit codes, logs, probes, the admin listener,
//! metrics, and how they reach Kafka and its topic.
//!
//! Knows the configuration and the raw record's size (`postback-common`), no table and no network.
//! A service puts it together in this order:
//!
//! 1. [`command_line::Options`]: the configuration, the log, the runtime;
//! 2. [`lifecycle::shutdown_on_signal`], inside the runtime;
//! 3. [`metrics::Metrics`] and [`probes::Readiness`], given to every part;
//! 4. [`admin::serve`] beside the service's own work, stopped last.

#![warn(missing_docs)]

pub mod admin;
pub mod certificate;
pub mod command_line;
pub mod kafka;
pub mod lifecycle;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod probes;
pub mod supervisor;
pub mod topic;
pub mod version;
