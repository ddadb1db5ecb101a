//! What is read, and where it was.

use std::fmt;

/// Where a record was read: what [`Drain::release`](super::Drain::release) takes. Positions grow in the order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub(super) sequence: u64,
    pub(super) segment: u64,
}

impl Position {
    /// Tells the segments of one [`Drain`](super::Drain) apart. Records of one segment come in the order of
    /// writing.
    #[must_use]
    pub fn segment(self) -> u64 {
        self.segment
    }
}

/// A record from the spool.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it was read.
    pub position: Position,
    /// Its time as it was submitted, in µs since 1970.
    pub at_micros: u64,
    /// Its bytes as they were submitted.
    pub record: Vec<u8>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.record.len();
        write!(
            f,
            "{:?} of {} with {bytes} bytes",
            self.position, self.at_micros
        )
    }
}
