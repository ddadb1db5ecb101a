//! Against a real ClickHouse, named by the environment: `cargo xtask test` starts one.

mod database;
mod errors;
mod identities;
mod migrations;
mod rows;
mod views;
