//! Where in a query names and values end, and which of them are escaped.

use super::blocks::{BLOCK, bits, block_at};
use super::escapes::ESCAPES;

/// What ends a name or value.
const MARKS: [u8; 2] = [b'&', b'='];

/// An `&` or `=`, or the end of the query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) place: usize,
    /// A `%` or `+` stands before it, behind the mark before.
    pub(super) is_behind_escape: bool,
}

/// All marks of a query in order, its end as the last.
pub(super) struct Marks<'q> {
    query: &'q [u8],
    /// Where the block begins.
    begins: usize,
    /// What of the block is not told yet.
    block: Block,
    /// An escape stands before the block, behind the mark that was told last.
    is_behind_escape: bool,
}

impl<'q> Marks<'q> {
    #[inline]
    pub(super) fn of(query: &'q [u8]) -> Self {
        Self {
            query,
            begins: 0,
            block: Block::at(query, 0),
            is_behind_escape: false,
        }
    }
}

impl Iterator for Marks<'_> {
    type Item = Mark;

    #[inline]
    fn next(&mut self) -> Option<Mark> {
        while self.block.marks == 0 {
            self.is_behind_escape |= self.block.escapes != 0;
            self.begins += BLOCK;
            if self.begins > self.query.len() {
                return None;
            }
            self.block = Block::at(self.query, self.begins);
        }
        let others = self.block.marks & (self.block.marks - 1);
        let mark = self.block.marks ^ others;
        let escapes = self.block.escapes & (mark - 1);
        let is_behind_escape = self.is_behind_escape | (escapes != 0);
        self.is_behind_escape = false;
        self.block.marks = others;
        self.block.escapes ^= escapes;
        Some(Mark {
            place: self.begins + mark.trailing_zeros() as usize,
            is_behind_escape,
        })
    }
}

/// A bit for each byte, the first the lowest.
struct Block {
    marks: u64,
    escapes: u64,
}

impl Block {
    fn at(query: &[u8], place: usize) -> Self {
        let mut block = block_at(query, place, |bytes, before| Self {
            marks: bits(bytes, before, MARKS),
            escapes: bits(bytes, before, ESCAPES),
        });
        let left = query.len() - place;
        if left < BLOCK {
            block.marks |= 1 << left;
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn byte() -> impl Strategy<Value = u8> {
        prop_oneof![any::<u8>(), prop::sample::select(&b"&=%+"[..]), Just(b'a')]
    }

    proptest! {
        #[test]
        fn every_mark_is_found_and_nothing_else(query in prop::collection::vec(byte(), 0..200)) {
            let mut expected = Vec::new();
            let mut is_behind_escape = false;
            for place in 0..=query.len() {
                let byte = query.get(place);
                if byte.is_none_or(|byte| b"&=".contains(byte)) {
                    expected.push(Mark { place, is_behind_escape });
                    is_behind_escape = false;
                }
                is_behind_escape |= byte.is_some_and(|byte| b"%+".contains(byte));
            }
            prop_assert_eq!(Marks::of(&query).collect::<Vec<_>>(), expected);
        }
    }
}
