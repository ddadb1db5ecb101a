//! Real Kafka and ClickHouse on loopback, for demo, tests and benchmarks.
//!
//! - [`install()`] puts both servers into the user's cache directory, and what they need onto the
//!   machine.
//! - [`KafkaServer`] and [`ClickHouseServer`] are one process each, in a data directory of its own:
//!   started until they really serve, stopped, killed, frozen and started again.
//! - [`Stack`] is one of each and the environment that points Postback at them.
//!
//! Nothing outlives its owner: dropping a handle kills the process, and if the owning process dies
//! (SIGKILL included), the kernel kills what it started; see [`process`].
//!
//! This crate knows none of Postback's other crates, and builds with Rust and a C linker alone.

pub mod cancellation;
pub mod clickhouse;
pub mod error;
mod hash;
pub mod install;
pub mod kafka;
pub mod port;
pub mod process;
mod random;
mod serving;
pub mod stack;

pub use cancellation::Cancellation;
pub use clickhouse::{ClickHouseClient, ClickHouseOptions, ClickHouseServer, Password};
pub use error::StackError;
pub use install::{Installation, Needs, install, install_packages, promtool, strace, surveillance};
pub use kafka::{KafkaOptions, KafkaServer, Secured, start_cluster};
pub use process::{Launch, Supervised};
pub use stack::{Stack, StackOptions};
