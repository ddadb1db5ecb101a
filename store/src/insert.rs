//! Inserts of whole batches: all of a batch's rows of one table, or an error and perhaps some.
//!
//! An insert that fails may have stored rows all the same: of one block the server commits one
//! partition after the other, and an answer can get lost. So every insert may be repeated, and the
//! tables' keys fold what stands there twice.

use std::time::Duration;

use clickhouse::Client;
use clickhouse::insert_formatted::InsertFormatted;

use crate::connection::run_within;
use crate::error::StoreError;
use crate::native::{Block, NativeRow, describe};
use crate::rows::{ConversionRow, PostbackRow, RefusalRow};
use crate::tables::{Generation, REFUSALS_LOG};

/// Longest time for one insert, sending included.
const INSERT_WITHIN: Duration = Duration::from_secs(120);

/// Rows that are sent as one block. The server joins the blocks of an insert before it stores them, so
/// that larger ones save it nothing and cost us memory.
const BLOCK_ROWS: usize = 8_192;

/// Inserts rows into the conversions of a generation. Does nothing without rows.
///
/// # Errors
/// [`StoreError`]; rows may have been stored.
pub async fn conversions<'a>(
    client: &Client,
    generation: Generation,
    rows: impl IntoIterator<Item = ConversionRow<'a>>,
) -> Result<(), StoreError> {
    all(client, &generation.conversions(), rows).await
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
    all(client, &generation.postbacks(), rows).await
}

/// Inserts rows into the log of refusals. Does nothing without rows.
///
/// # Errors
/// [`StoreError`]; rows may have been stored.
pub async fn refusals<'a>(
    client: &Client,
    rows: impl IntoIterator<Item = RefusalRow<'a>>,
) -> Result<(), StoreError> {
    all(client, REFUSALS_LOG, rows).await
}

async fn all<T: NativeRow>(
    client: &Client,
    table: &str,
    rows: impl IntoIterator<Item = T>,
) -> Result<(), StoreError> {
    let mut rows = rows.into_iter().peekable();
    let attempt = format!("insert into {table}");
    run_within(INSERT_WITHIN, &attempt, async {
        let Some(first) = rows.peek() else {
            return Ok(());
        };
        let mut block = Block::like(first, &describe(client, table).await?)?;
        let sql = format!("INSERT INTO {table} ({}) FORMAT Native", block.names());
        let mut insert = client.insert_formatted_with(sql);
        for row in rows {
            block.push(&row)?;
            if block.rows() == BLOCK_ROWS {
                send(&mut insert, &mut block).await?;
            }
        }
        if block.rows() > 0 {
            send(&mut insert, &mut block).await?;
        }
        insert.end().await
    })
    .await
}

async fn send(insert: &mut InsertFormatted, block: &mut Block) -> clickhouse::error::Result<()> {
    for piece in block.take() {
        insert.send(piece).await?;
    }
    Ok(())
}
