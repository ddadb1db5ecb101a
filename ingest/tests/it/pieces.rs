//! A connection whose sender's packets are known to the byte.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Gives each piece to a read of its own, with a pause before it, and then the end. What is written
/// is kept.
pub(crate) struct Pieces {
    /// What is not read yet.
    pub(crate) left: Arc<Mutex<VecDeque<Vec<u8>>>>,
    paused: bool,
    pub(crate) written: Arc<Mutex<Vec<u8>>>,
}

impl Pieces {
    /// `bytes` in pieces of `sizes` in turn.
    pub(crate) fn of(bytes: &[u8], sizes: &[usize]) -> Self {
        let mut rest = bytes;
        let mut pieces = VecDeque::new();
        for &size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at(size.clamp(1, rest.len()));
            pieces.push_back(piece.to_vec());
            rest = behind;
        }
        Self {
            left: Arc::new(Mutex::new(pieces)),
            paused: false,
            written: Arc::default(),
        }
    }

    /// `bytes` in two pieces, the first `at` long.
    pub(crate) fn cut(bytes: &[u8], at: usize) -> Self {
        Self::of(bytes, &[at, bytes.len()])
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.paused = !self.paused;
        if self.paused {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut left = self.left.lock().unwrap();
        if let Some(mut piece) = left.pop_front() {
            let behind = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(&piece);
            if !behind.is_empty() {
                left.push_front(behind);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
