//! Counts lines on the way.

use std::io::{self, BufRead, Read};

/// A reader that knows in which line it is.
pub(super) struct Counted<R> {
    inner: R,
    /// Line breaks passed.
    breaks: u64,
}

impl<R> Counted<R> {
    pub(super) const fn new(inner: R) -> Self {
        Self { inner, breaks: 0 }
    }

    /// The line that the next byte stands in, from 1.
    pub(super) const fn line(&self) -> u64 {
        self.breaks + 1
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.breaks += breaks(&buffer[..read]);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What was just filled is still there: this reads nothing.
        if let Ok(bytes) = self.inner.fill_buf() {
            self.breaks += breaks(&bytes[..amount.min(bytes.len())]);
        }
        self.inner.consume(amount);
    }
}

fn breaks(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
