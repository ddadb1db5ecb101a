//! All that knows the ClickHouse tables: migrations, generations, rows, queries.
//!
//! - [`migrate()`] makes the database what this version needs.
//! - [`insert`] stores batches of [`rows`].
//! - [`reports`] ask; [`ask`] asks what a person wrote.
//! - [`StoreError`] says what went wrong, of what [`Kind`] it is and what to do.
//!
//! Names and definitions of tables stand in [`tables`] and `schemas/clickhouse/` and nowhere else.

#![warn(missing_docs)]

pub mod annotations;
pub mod ask;
pub mod backfills;
pub mod check;
pub mod comparison;
mod connection;
pub mod endpoints;
mod error;
pub mod generations;
pub mod history;
pub mod identities;
pub mod imports;
pub mod insert;
mod migrate;
mod native;
mod recorded;
pub mod reports;
pub mod retention;
pub mod rows;
pub mod sample;
mod single;
pub mod tables;
pub mod verify;

/// The client that everything here asks by, made by [`client()`].
pub use clickhouse::Client;
pub use connection::{Role, client, settings_arrive};
pub use error::{Kind, MAX_MESSAGE, StoreError};
pub use generations::{Event, Life, Lineage, Manifest, Offsets};
pub use identities::{AccountIdentity, WantedIdentity};
pub use migrate::{Report, Step, migrate};
pub use tables::Generation;
