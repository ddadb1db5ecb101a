//! From rows to blocks.

use std::fmt;

use bytes::Bytes;

use super::column::{Written, push_varint};

/// Rows of a block. The server joins the blocks of an insert before it stores them, so that larger
/// ones save it nothing; of smaller ones less is reserved in vain.
pub(crate) const BLOCK_ROWS: usize = 1_024;

/// The columns of one table, being filled. Made by [`columns!`].
pub(crate) trait Columns: Default + fmt::Debug + Send {
    /// What is added.
    type Row<'a>;

    /// How many columns there are.
    const COUNT: usize;

    /// Name and type of each, in the order in which they are written.
    fn described() -> Vec<(&'static str, String)>;

    /// Adds a row.
    fn push(&mut self, row: &Self::Row<'_>);

    /// Takes all columns out, as they are written.
    fn take(&mut self, block: &mut Written<'_>);
}

/// Says of which columns a table consists: `NAME of ROW { column: Type, … }`. Each column takes the
/// row's field of its name.
macro_rules! columns {
    ($(#[$doc:meta])* $name:ident of $row:ident { $($column:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            $($column: $type,)+
        }

        impl $crate::native::Columns for $name {
            type Row<'a> = $row<'a>;

            const COUNT: usize = [$(stringify!($column)),+].len();

            fn described() -> Vec<(&'static str, String)> {
                vec![$((stringify!($column), <$type as $crate::native::column::Column>::kind()),)+]
            }

            fn push(&mut self, row: &$row<'_>) {
                $($crate::native::column::Takes::push(&mut self.$column, &row.$column);)+
            }

            fn take(&mut self, block: &mut $crate::native::column::Written<'_>) {
                $($crate::native::column::write(&mut self.$column, stringify!($column), block);)+
            }
        }
    };
}

pub(crate) use columns;

/// Rows of one table, written for the server as they come and kept as they are sent: what must be
/// repeated is not made again.
#[derive(Debug, Default)]
pub(crate) struct Prepared<C> {
    open: C,
    open_rows: usize,
    blocks: Vec<Bytes>,
    rows: usize,
    head_bytes: usize,
}

impl<C: Columns> Prepared<C> {
    pub(crate) fn push(&mut self, row: &C::Row<'_>) {
        self.open.push(row);
        self.open_rows += 1;
        self.rows += 1;
        if self.open_rows == BLOCK_ROWS {
            self.close(true);
        }
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// All rows, block after block, in pieces.
    pub(crate) fn blocks(&mut self) -> &[Bytes] {
        self.columns();
        &self.blocks
    }

    /// What is in the columns' own keeping; closes the block that is being filled.
    pub(crate) fn columns(&mut self) -> &C {
        if self.open_rows > 0 {
            self.close(false);
        }
        &self.open
    }

    /// The names of the columns, for the statement that inserts them.
    pub(crate) fn names() -> String {
        let described = C::described();
        let names: Vec<_> = described.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    fn close(&mut self, goes_on: bool) {
        let mut head = Vec::with_capacity(self.head_bytes);
        push_varint(&mut head, C::COUNT);
        push_varint(&mut head, self.open_rows);
        let mut block = Written {
            head,
            pieces: &mut self.blocks,
            goes_on,
        };
        self.open.take(&mut block);
        let head = block.head;
        self.head_bytes = head.len();
        self.blocks.push(head.into());
        self.open_rows = 0;
    }
}
