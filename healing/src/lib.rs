//! What a network did not deliver: noticed, fetched, and brought into Kafka.
//!
//! - `backfill`: what the network's Events API has and the tables lack becomes raw records.
//! - `status`: whether the endpoint is on, asked again and again, and what follows from the answer.
//! - `probe`: a test postback, to see whether an endpoint answers in time.
//! - `registered`: the URL that a network has, against what the configuration says.
//! - `due`: which time is to be fetched without being asked, and how long the network still has it.

#![warn(missing_docs)]

pub mod backfill;
pub mod due;
pub mod probe;
pub mod registered;
pub mod status;
