//! Inserts of whole batches: all of a batch's rows of one table, or an error and perhaps some.
//!
//! An insert that fails may have stored rows all the same: of one block the server commits one
//! partition after the other, and an answer can get lost. So every insert may be repeated, and the
//! tables' keys fold what stands there twice. Rows are written once, when they come; to repeat an
//! insert is to send the same bytes again.

use std::time::Duration;

use bytes::Bytes;
use clickhouse::Client;

use crate::connection::run_within;
use crate::error::StoreError;
use crate::native::{Columns, Prepared};
use crate::rows::{
    ConversionColumns, ConversionRow, PostbackColumns, PostbackRow, RefusalColumns, RefusalRow,
};
use crate::tables::{Generation, REFUSALS_LOG};

/// Longest time for one insert, sending included.
const INSERT_WITHIN: Duration = Duration::from_secs(120);

/// Rows of `conversions_gN` to insert.
#[derive(Debug, Default)]
pub struct Conversions(Prepared<ConversionColumns>);

impl Conversions {
    /// Adds a row.
    pub fn push(&mut self, row: &ConversionRow<'_>) {
        self.0.push(row);
    }

    /// How many there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.rows()
    }
}

impl<'a> FromIterator<ConversionRow<'a>> for Conversions {
    fn from_iter<I: IntoIterator<Item = ConversionRow<'a>>>(rows: I) -> Self {
        let mut all = Self::default();
        rows.into_iter().for_each(|row| all.push(&row));
        all
    }
}

/// Rows of `postbacks_gN` to insert.
#[derive(Debug, Default)]
pub struct Postbacks(Prepared<PostbackColumns>);

impl Postbacks {
    /// Adds a row.
    pub fn push(&mut self, row: &PostbackRow<'_>) {
        self.0.push(row);
    }

    /// How many there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.rows()
    }

    /// Their column `raw`, in the order in which they were added.
    pub fn raws(&mut self) -> impl Iterator<Item = &str> {
        self.0.columns().raws()
    }
}

impl<'a> FromIterator<PostbackRow<'a>> for Postbacks {
    fn from_iter<I: IntoIterator<Item = PostbackRow<'a>>>(rows: I) -> Self {
        let mut all = Self::default();
        rows.into_iter().for_each(|row| all.push(&row));
        all
    }
}

/// Inserts rows into the conversions of a generation. Does nothing without rows. `on_piece` is
/// called before each piece is sent.
///
/// # Errors
/// [`StoreError`]; rows may have been stored.
pub fn conversions<'a>(
    client: &Client,
    generation: Generation,
    rows: impl IntoIterator<Item = &'a mut Conversions>,
    on_piece: fn(),
) -> impl Future<Output = Result<(), StoreError>> + Send {
    let rows = rows.into_iter().map(|rows| &mut rows.0);
    Insert::of(generation.conversions(), rows).send(client, on_piece)
}

/// Inserts rows into the postbacks of a generation. Does nothing without rows. `on_piece` is called
/// before each piece is sent.
///
/// # Errors
/// [`StoreError`]; rows may have been stored.
pub fn postbacks<'a>(
    client: &Client,
    generation: Generation,
    rows: impl IntoIterator<Item = &'a mut Postbacks>,
    on_piece: fn(),
) -> impl Future<Output = Result<(), StoreError>> + Send {
    let rows = rows.into_iter().map(|rows| &mut rows.0);
    Insert::of(generation.postbacks(), rows).send(client, on_piece)
}

/// Inserts rows into the log of refusals. Does nothing without rows.
///
/// # Errors
/// [`StoreError`]; rows may have been stored.
pub fn refusals<'a>(
    client: &Client,
    rows: impl IntoIterator<Item = RefusalRow<'a>>,
) -> impl Future<Output = Result<(), StoreError>> + Send {
    let mut written = Prepared::<RefusalColumns>::default();
    for row in rows {
        written.push(&row);
    }
    Insert::of(REFUSALS_LOG.to_owned(), [&mut written]).send(client, || {})
}

/// What is to be sent, and where.
struct Insert {
    table: String,
    sql: String,
    pieces: Vec<Bytes>,
}

impl Insert {
    fn of<'a, C: Columns + 'a>(
        table: String,
        rows: impl IntoIterator<Item = &'a mut Prepared<C>>,
    ) -> Self {
        let names = Prepared::<C>::names();
        let pieces = rows.into_iter().flat_map(|rows| rows.blocks().to_vec());
        Self {
            sql: format!("INSERT INTO {table} ({names}) FORMAT Native"),
            pieces: pieces.collect(),
            table,
        }
    }

    async fn send(self, client: &Client, on_piece: fn()) -> Result<(), StoreError> {
        if self.pieces.is_empty() {
            return Ok(());
        }
        let attempt = format!("insert into {}", self.table);
        run_within(INSERT_WITHIN, &attempt, async {
            let mut insert = client.insert_formatted_with(self.sql);
            for piece in self.pieces {
                on_piece();
                insert.send(piece).await?;
            }
            insert.end().await
        })
        .await
    }
}
