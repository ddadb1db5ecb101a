//! Reports against a real ClickHouse: rows written by hand, figures calculated by hand.
//!
//! Needs `POSTBACK__CLICKHOUSE__URL`, `…__USER` and `…__PASSWORD`; `cargo xtask stack up` prints
//! them. Each test makes a database of its own and drops it.

#![expect(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod books;
mod clocks;
mod completeness;
mod database;
mod gap;
mod measures;
mod page;
mod pushes;
mod question;
mod received;
mod sales;
mod summary;
mod trace;

use postback_store::insert::{self, Conversions, Postbacks};
use postback_store::rows::{ConversionRow, PostbackRow};
use postback_store::{Client, Generation};

async fn insert_conversions<'a>(
    loader: &Client,
    rows: impl IntoIterator<Item = ConversionRow<'a>>,
) {
    let mut rows: Conversions = rows.into_iter().collect();
    let inserted = insert::conversions(loader, Generation::FIRST, [&mut rows], || {}).await;
    inserted.unwrap();
}

async fn insert_postbacks<'a>(loader: &Client, rows: impl IntoIterator<Item = PostbackRow<'a>>) {
    let mut rows: Postbacks = rows.into_iter().collect();
    let inserted = insert::postbacks(loader, Generation::FIRST, [&mut rows], || {}).await;
    inserted.unwrap();
}
