//! Against a real ClickHouse, named by the environment: `cargo xtask test` starts one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

mod comparison;
mod database;
mod endpoints;
mod errors;
mod generations;
mod history;
mod identities;
mod migrations;
mod profile;
mod proxy;
mod restored;
mod retention;
mod rows;
mod views;
