//! Blocks of ClickHouse's format Native: rows in, columns out.
//!
//! The server reads Native for half of what RowBinary costs it, and the client library cannot write
//! it for decimals and times. A row says its values ([`NativeRow`]); the table's own columns, as the
//! server describes them, say how these are written. Only the types of our tables are known.
//!
//! A block is: number of columns, number of rows (both as varints), then for each column its name and
//! type (texts behind their length as a varint), what belongs to the column as a whole, its values.

mod column;
mod kind;
mod value;

use bytes::Bytes;
use clickhouse::error::{Error as ClientError, Result as ClientResult};
use clickhouse::{Client, Row};
use serde::Deserialize;

use column::{Column, push_text, push_varint};
use value::Refused;

pub(crate) use value::{NativeRow, Value};

/// A column as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub(crate) struct Described {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// Asks for the columns of a table. Nobody remembers them: a table that was mended since has others,
/// and one question costs little beside one insert.
pub(crate) async fn describe(client: &Client, table: &str) -> ClientResult<Vec<Described>> {
    client
        .query_raw(&format!("DESCRIBE TABLE {table}"))
        .with_setting("describe_compact_output", "1")
        .fetch_all()
        .await
}

/// Rows of one table, column by column.
#[derive(Debug)]
pub(crate) struct Block {
    columns: Vec<Named>,
    rows: usize,
}

#[derive(Debug)]
struct Named {
    described: Described,
    values: Column,
}

impl Block {
    /// An empty block for rows like this one. Columns that the table has beside those of the row get
    /// their defaults.
    pub(crate) fn like(row: &impl NativeRow, described: &[Described]) -> ClientResult<Self> {
        let column = |(name, _): &(&'static str, Value<'_>)| {
            let found = described.iter().find(|column| column.name == *name);
            let missing = || mismatch(format!("the table has no column {name}"));
            let described = found.ok_or_else(missing)?.clone();
            let values = Column::of(&described.kind)
                .ok_or_else(|| mismatch(format!("column {name} is {}", described.kind)))?;
            Ok(Named { described, values })
        };
        let values = row.values();
        let columns = values
            .as_ref()
            .iter()
            .map(column)
            .collect::<ClientResult<_>>()?;
        Ok(Self { columns, rows: 0 })
    }

    /// The names of its columns, for the statement that inserts it.
    pub(crate) fn names(&self) -> String {
        let names = self.columns.iter().map(|column| &*column.described.name);
        names.collect::<Vec<_>>().join(", ")
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: &impl NativeRow) -> ClientResult<()> {
        let values = row.values();
        for (column, (name, value)) in self.columns.iter_mut().zip(values.as_ref()) {
            column
                .values
                .push(*value)
                .map_err(|refused| match refused {
                    Refused::Type => mismatch(format!("column {name} {refused}")),
                    Refused::Day(_) => ClientError::Custom(format!("column {name}: {refused}")),
                })?;
        }
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// What to send, in pieces; the block is empty afterwards.
    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        let mut head = Vec::new();
        push_varint(&mut head, self.columns.len());
        push_varint(&mut head, self.rows);
        let mut pieces = Vec::new();
        for Named { described, values } in &mut self.columns {
            push_text(&mut head, &described.name);
            push_text(&mut head, &described.kind);
            values.write_prefix(&mut head);
            values.take(&mut head, &mut pieces);
        }
        self.rows = 0;
        pieces.push(head.into());
        pieces
    }
}

fn mismatch(message: String) -> ClientError {
    ClientError::SchemaMismatch(message)
}

#[cfg(test)]
mod tests;
