//! Questions to the tables of one generation: one file per report, query in, typed rows out.
//!
//! A [`Reader`] reads the active generation once and then asks its tables, so that all figures of
//! one report come from one generation even while another is being activated. Values that a caller
//! gives are bound as query parameters of the server, never pasted into SQL.

pub mod activity;
pub mod amounts;
mod both;
pub mod completeness;
mod decode;
pub mod delay;
pub mod flags;
pub mod gap;
pub mod held;
pub mod latency;
mod own;
pub mod pushes;
pub mod question;
mod reader;
pub mod received;
pub mod rejects;
pub mod reversals;
pub mod series;
pub mod share;
pub mod sources;
pub mod summary;
pub mod tail;
pub mod tally;
pub mod trace;
pub mod unattributed;

pub use both::Both;
pub use decode::Money;
pub(crate) use decode::{day, micros, optional_micros};
pub use own::OwnSource;
pub use reader::Reader;
