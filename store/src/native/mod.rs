//! Blocks of ClickHouse's format Native: rows in, columns out.
//!
//! The server reads Native for half of what RowBinary costs it, and the client library cannot write
//! it for decimals and times. The columns of each of our tables are Rust types ([`column`]), put
//! together by the macro [`columns!`]: what does not fit is not compiled. A table that somebody has
//! mended since may have other types; the server converts.
//!
//! A block is: number of columns, number of rows (both as varints), then for each column its name and
//! type (texts behind their length as a varint), what belongs to the column as a whole, its values.

mod block;
pub(crate) mod column;

pub(crate) use block::{Columns, Prepared, columns};

#[cfg(test)]
mod tests;
