//! What the cells before had: neighbours overlap, and what stands in both is taken once.

use std::collections::HashSet;
use std::mem;

/// The hash of a transaction's JSON as it came.
pub(super) type Content = u128;

/// Half of a BLAKE3 hash.
pub(super) fn content(json: &str) -> Content {
    let hash = blake3::hash(json.as_bytes());
    u128::from_le_bytes(std::array::from_fn(|at| hash.as_bytes()[at]))
}

/// Contents of the last two cells.
#[derive(Debug, Default)]
pub(super) struct Recent {
    before_last: HashSet<Content>,
    last: HashSet<Content>,
    now: HashSet<Content>,
}

impl Recent {
    /// Whether it is new; it is remembered.
    pub(super) fn is_new(&mut self, content: Content) -> bool {
        let is_old = self.last.contains(&content) || self.before_last.contains(&content);
        self.now.insert(content) && !is_old
    }

    /// Another cell begins.
    pub(super) fn turn(&mut self) {
        let now = mem::take(&mut self.now);
        self.before_last = mem::replace(&mut self.last, now);
    }
}
