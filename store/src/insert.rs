//! Inserts of whole batches: all of a batch's rows of one table, or an error and perhaps some.
//!
//! An insert that fails may have stored rows all the same: of one block the server commits one
//! partition after the other, and an answer can get lost. So every insert may be repeated, and the
//! tables' keys fold what stands there twice.

use std::time::Duration;

use clickhouse::{Client, RowWrite};

use crate::connection::run_within;
use crate::error::StoreError;
use crate::rows::{ConversionRow, PostbackRow, RefusalRow};
use crate::tables::{Generation, REFUSALS_LOG};

/// Longest time for one insert, sending included.
const INSERT_WITHIN: Duration = Duration::from_secs(120);

/// Inserts rows into the conversions of a generation. Does nothing without rows.
///
/// # Errors
/// [`StoreError`]; rows may have been stored.
pub async fn conversions<'a>(
    client: &Client,
    generation: Generation,
    rows: impl IntoIterator<Item = ConversionRow<'a>>,
) -> Result<(), StoreError> {
    all::<ConversionRow<'_>>(client, &generation.conversions(), rows).await
}

/// Inserts rows into the postbacks of a generation. Does nothing without rows.
///
/// # Errors
/// [`StoreError`]; rows may have been stored.
pub async fn postbacks<'a>(
    client: &Client,
    generation: Generation,
    rows: impl IntoIterator<Item = PostbackRow<'a>>,
) -> Result<(), StoreError> {
    all::<PostbackRow<'_>>(client, &generation.postbacks(), rows).await
}

/// Inserts rows into the log of refusals. Does nothing without rows.
///
/// # Errors
/// [`StoreError`]; rows may have been stored.
pub async fn refusals<'a>(
    client: &Client,
    rows: impl IntoIterator<Item = RefusalRow<'a>>,
) -> Result<(), StoreError> {
    all::<RefusalRow<'_>>(client, REFUSALS_LOG, rows).await
}

async fn all<'a, T: RowWrite>(
    client: &Client,
    table: &str,
    rows: impl IntoIterator<Item = T::Value<'a>>,
) -> Result<(), StoreError> {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let attempt = format!("insert into {table}");
    let stored = run_within(INSERT_WITHIN, &attempt, async {
        let mut insert = client.insert::<T>(table).await?;
        for row in rows {
            insert.write(&row).await?;
        }
        insert.end().await
    });
    let stored = stored.await;
    if stored.is_err() {
        // The client checks rows against the columns that it saw first. A table that was mended
        // since has others.
        client.clear_cached_metadata().await;
    }
    stored
}
