//! Bytes that came and that hyper may not have yet.

/// What is held back of a connection's bytes. Given free as soon as it is empty: thousands of
/// connections wait for their next request.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// So many of them are gone already.
    gone: usize,
}

impl Held {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// The memory that it takes.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.gone);
        self.gone = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The first `count` bytes are passed on.
    pub(super) fn remove(&mut self, count: usize) {
        self.gone += count;
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Replaces the first `count` bytes, at least one, by a single one.
    pub(super) fn replace(&mut self, count: usize, by: u8) {
        self.gone += count.saturating_sub(1);
        if let Some(first) = self.bytes.get_mut(self.gone) {
            *first = by;
        }
    }

    /// Forgets them, and holds `bytes` instead.
    pub(super) fn reset(&mut self, bytes: &[u8]) {
        self.bytes = bytes.to_vec();
        self.gone = 0;
    }
}
