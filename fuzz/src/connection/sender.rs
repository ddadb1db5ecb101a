//! The sender's side of a connection, in memory.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use postback_service::lifecycle::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Input;

/// How often ingest may ask for more after the end; hyper does so a few times.
const READS_BEHIND_THE_END: usize = 16;

/// What a slow sender takes at once.
const SLOW_BYTES: usize = 7;

/// Sends an input in its pieces, then ends its side; keeps what it gets.
///
/// It does not end its side while it keeps ingest from writing: hyper 1.12 takes an end at that
/// moment for one within a request, and drops the rest of the answer. A socket takes an answer at
/// once, unless its sender has left megabytes of others unread.
pub(super) struct Sender {
    pieces: VecDeque<Vec<u8>>,
    pauses: bool,
    reads_slowly: bool,
    read_pauses: Pauses,
    write_pauses: Pauses,
    /// Ingest waits to write.
    blocked: bool,
    /// Pieces left when `stop` is to be given.
    stop_at: Option<usize>,
    pub(super) stop: Shutdown,
    reads_behind_the_end: usize,
    closed: bool,
    got: Arc<Mutex<Vec<u8>>>,
}

impl Sender {
    /// The sender, and what it gets.
    pub(super) fn of(input: &Input<'_>) -> (Self, Arc<Mutex<Vec<u8>>>) {
        let mut rest = input.sent;
        let mut pieces = VecDeque::new();
        let mut sizes = input.sizes();
        while !rest.is_empty() {
            let size = sizes.next().unwrap_or(rest.len());
            let (piece, behind) = rest.split_at(size.min(rest.len()));
            pieces.push_back(piece.to_vec());
            rest = behind;
        }
        let got = Arc::default();
        let sender = Self {
            stop_at: input.stops.then_some(pieces.len() / 2),
            pieces,
            pauses: input.pauses,
            reads_slowly: input.reads_slowly && !may_upgrade(input.sent),
            read_pauses: Pauses::default(),
            write_pauses: Pauses::default(),
            blocked: false,
            stop: Shutdown::new(),
            reads_behind_the_end: 0,
            closed: false,
            got: Arc::clone(&got),
        };
        (sender, got)
    }
}

/// Makes ingest come again every other time.
#[derive(Default)]
struct Pauses {
    paused: bool,
}

impl Pauses {
    /// Whether it is to come again.
    fn pause(&mut self, cx: &Context<'_>) -> bool {
        self.paused = !self.paused;
        if self.paused {
            cx.waker().wake_by_ref();
        }
        self.paused
    }
}

/// Whether hyper may take a request for one that changes the protocol. When a connection ends behind
/// such a one, hyper 1.12 drops what it has not written yet, as if somebody had taken the connection
/// over: the dispatcher neither flushes nor shuts down. A socket takes an answer at once.
fn may_upgrade(sent: &[u8]) -> bool {
    let lower = sent.to_ascii_lowercase();
    let has = |text: &[u8]| memchr::memmem::find(&lower, text).is_some();
    has(b"connect ") || has(b"upgrade")
}

impl AsyncRead for Sender {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stop_at.is_some_and(|left| self.pieces.len() <= left) {
            self.stop.cancel();
        }
        if self.pauses && self.read_pauses.pause(cx) {
            return Poll::Pending;
        }
        if self.blocked && self.pieces.is_empty() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(mut piece) = self.pieces.pop_front() else {
            self.reads_behind_the_end += 1;
            let often = self.reads_behind_the_end > READS_BEHIND_THE_END;
            assert!(!often, "ingest reads on and on behind the end");
            return Poll::Ready(Ok(()));
        };
        let behind = piece.split_off(piece.len().min(buf.remaining()));
        buf.put_slice(&piece);
        if !behind.is_empty() {
            self.pieces.push_front(behind);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sender {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!self.closed, "ingest writes behind its own end");
        self.blocked = self.reads_slowly && self.write_pauses.pause(cx);
        if self.blocked {
            return Poll::Pending;
        }
        let most = if self.reads_slowly {
            SLOW_BYTES
        } else {
            usize::MAX
        };
        let taken = &bytes[..bytes.len().min(most)];
        let mut got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        got.extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        Poll::Ready(Ok(()))
    }
}
