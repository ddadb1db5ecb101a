//! The stream that hyper reads instead of the socket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::{Framer, Then};
use super::handover::Handover;
use super::held::Held;
use super::patience::{Patience, Stage};
use super::unread::Unread;
use super::{Original, ROOM, Target};
use crate::room::{self, Room};

/// What hyper gets instead of the rest of a head whose target is too long.
const LAST_HEAD: &[u8] = b"/ HTTP/1.1\r\nConnection: close\r\n\r\n";

/// Reads `S` as far as hyper may, and hides targets that hyper would cut or refuse. Writing goes
/// through unchanged, but may not stand still for ever. See the [module](super). No `Debug`: it holds URL keys.
pub struct TargetStream<S> {
    io: S,
    framer: Framer,
    held: Held,
    /// The target of the head under way, if hyper does not see it, or may drop it.
    kept: Option<Original>,
    handover: Handover,
    longest_target: usize,
    /// `None` waits for ever.
    patience: Option<Patience>,
    /// `None` waits for ever.
    unread: Option<Unread>,
    /// `None` takes as much as it may.
    room: Option<room::Held>,
    /// Bytes of a head of which more is to come.
    begun: usize,
    /// Why it has ended by itself, apart from what came.
    gave_up: Option<GaveUp>,
}

/// Why a stream has ended by itself, apart from what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    /// The sender took too long: to send, or to read what was answered.
    Late,
    /// All requests together hold too much.
    Full,
}

impl<S> TargetStream<S> {
    /// Around a connection whose longest query is `query_bytes`. The service has to claim each
    /// request's target from `handover`.
    #[must_use]
    pub fn new(io: S, query_bytes: usize, handover: Handover) -> Self {
        let longest_target = query_bytes + ROOM;
        Self {
            io,
            framer: Framer::new(longest_target),
            held: Held::default(),
            kept: None,
            handover,
            longest_target,
            patience: None,
            unread: None,
            room: None,
            begun: 0,
            gave_up: None,
        }
    }

    /// Ends when it has waited for the next request for longer than `idle`, or for the rest of a head
    /// for longer than `head`.
    #[must_use]
    pub fn patient(mut self, idle: Duration, head: Duration) -> Self {
        self.patience = Some(Patience::new(idle, head));
        self
    }

    /// Ends when its peer has read nothing for longer than `unread`, though something is to be written.
    #[must_use]
    pub fn insisting(mut self, unread: Duration) -> Self {
        self.unread = Some(Unread::new(unread));
        self
    }

    /// Ends when a head comes in pieces and `room` has none for what has come of it.
    #[must_use]
    pub fn within(mut self, room: &Room) -> Self {
        self.room = Some(room.enter());
        self
    }

    /// Whether it ends before the connection does, which may still have bytes to read.
    #[must_use]
    pub fn ends_early(&self) -> bool {
        self.framer.is_at_its_last() && self.gave_up != Some(GaveUp::Late)
    }

    /// Why it has ended by itself, if it has.
    #[must_use]
    pub fn gave_up(&self) -> Option<GaveUp> {
        self.gave_up
    }

    /// The target of the head under way, as far as it came, if hyper has not seen it or may drop it.
    #[must_use]
    pub fn unseen_target(&self) -> Option<Target<'_>> {
        if let Some(kept) = &self.kept {
            return Some(Target::of_original(kept));
        }
        let held = self.held.bytes();
        let is_target = self.framer.is_in_target() && !held.is_empty();
        is_target.then(|| Target::of_bytes(held, true))
    }

    /// The connection.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.io
    }

    /// Does what is due behind the bytes that passed; what follows them is held by now.
    fn follow(&mut self, then: Then) {
        match then {
            Then::GoOn | Then::Wait => {}
            Then::Hide(length) => {
                self.hide(length, false);
                self.held.replace(length, b'/');
            }
            Then::Overlong => {
                self.hide(self.longest_target, true);
                self.held.reset(LAST_HEAD);
            }
            Then::Head => {
                self.handover.publish(self.kept.take());
                if let Some(patience) = &mut self.patience {
                    patience.begin_anew();
                }
            }
        }
    }

    /// Nothing came. Ready when the sender's time is up, and the stream with it.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(patience) = &mut self.patience else {
            return Poll::Pending;
        };
        ready!(patience.poll_end(self.framer.stage(), cx));
        self.give_up(GaveUp::Late);
        Poll::Ready(())
    }

    /// Writing came to this; it has failed when it has stood still for too long, and the stream with
    /// it.
    fn poll_unread<T>(
        &mut self,
        wrote: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        let Some(unread) = &mut self.unread else {
            return wrote;
        };
        let judged = unread.judge(wrote, cx);
        if let Poll::Ready(Err(error)) = &judged
            && error.kind() == io::ErrorKind::TimedOut
        {
            self.give_up(GaveUp::Late);
        }
        judged
    }

    fn give_up(&mut self, why: GaveUp) {
        self.gave_up = Some(why);
        self.framer.stop();
    }

    /// More bytes came. A head in one piece costs nothing here: hyper has its first buffer anyway.
    fn count(&mut self, bytes: usize) {
        let Some(room) = &mut self.room else { return };
        if self.framer.stage() == Stage::Head {
            self.begun += bytes;
            if room.grow_to(self.begun).is_err() {
                self.give_up(GaveUp::Full);
            }
        } else if self.begun > 0 {
            self.begun = 0;
            room.release();
        }
    }

    fn hide(&mut self, length: usize, cut: bool) {
        let bytes = self.held.bytes();
        let bytes = bytes.get(..length).unwrap_or(bytes).into();
        let shown = false;
        self.kept = Some(Original { bytes, cut, shown });
    }

    /// Passes on what it may of the bytes that are held, and returns how many.
    fn pass_held(&mut self, buf: &mut ReadBuf<'_>) -> (usize, Then) {
        let (count, then) = self.framer.advance(self.held.bytes(), buf.remaining());
        buf.put_slice(&self.held.bytes()[..count]);
        if let Some(target) = self.framer.take_shown() {
            self.kept = Some(copy(&self.held.bytes()[target]));
        }
        self.held.remove(count);
        self.follow(then);
        (count, then)
    }

    /// Passes on what it may of the bytes that `buf` has got behind its first `from`, and holds the
    /// rest.
    fn pass_fresh(&mut self, buf: &mut ReadBuf<'_>, from: usize) {
        let fresh = &buf.filled()[from..];
        if !self.held.is_empty() {
            self.held.push(fresh);
            buf.set_filled(from);
            return;
        }
        let (count, then) = self.framer.advance(fresh, fresh.len());
        if let Some(target) = self.framer.take_shown() {
            self.kept = Some(copy(&fresh[target]));
        }
        if count < fresh.len() {
            self.held.push(&fresh[count..]);
            buf.set_filled(from + count);
        }
        self.follow(then);
    }
}

/// A target that hyper sees as well.
fn copy(target: &[u8]) -> Original {
    Original {
        bytes: target.into(),
        cut: false,
        shown: true,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TargetStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.framer.awaits_framing() {
            this.framer.read_on(this.handover.body());
        }
        let from = buf.filled().len();
        while buf.filled().len() == from && !this.framer.is_stopped() && buf.remaining() > 0 {
            if !this.held.is_empty() {
                let (count, then) = this.pass_held(buf);
                if count > 0 || then != Then::Wait {
                    continue;
                }
            }
            match Pin::new(&mut this.io).poll_read(cx, buf) {
                Poll::Ready(Ok(())) => {}
                // TLS, ended without saying so: where a message ends is known without it.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(this.poll_patience(cx));
                    break;
                }
            }
            let fresh = buf.filled().len() - from;
            if fresh > 0 {
                this.pass_fresh(buf, from);
                this.count(fresh);
            } else if this.held.is_empty() {
                break;
            } else {
                this.framer.cut_short();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TargetStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.poll_unread(wrote, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.io).poll_write_vectored(cx, bytes);
        this.poll_unread(wrote, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.io).poll_flush(cx);
        this.poll_unread(wrote, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.io).poll_shutdown(cx);
        this.poll_unread(wrote, cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::super::line::VERSION_BYTES;
    use super::*;

    const QUERY_BYTES: usize = 1_000;
    /// What one read brings.
    const READ: usize = 512;

    /// Reads all that comes of `bytes` and says how many came, and the most that was held.
    fn read(bytes: &[u8], stop: impl Fn(&TargetStream<&[u8]>) -> bool) -> (Vec<u8>, usize) {
        let mut stream = TargetStream::new(bytes, QUERY_BYTES, Handover::default());
        let mut cx = Context::from_waker(Waker::noop());
        let (mut came, mut most) = (Vec::new(), 0);
        loop {
            let mut buf = [0; READ];
            let mut buf = ReadBuf::new(&mut buf);
            let polled = Pin::new(&mut stream).poll_read(&mut cx, &mut buf);
            assert!(matches!(polled, Poll::Ready(Ok(()))));
            most = most.max(stream.held.capacity());
            came.extend_from_slice(buf.filled());
            if buf.filled().is_empty() || stop(&stream) {
                return (came, most);
            }
        }
    }

    #[test]
    fn a_clean_head_is_neither_held_nor_copied() {
        let head = b"GET /postback/k?a=b HTTP/1.1\r\nHost: x\r\n\r\n";
        let (came, most) = read(head, |stream| {
            assert!(stream.kept.is_none() && stream.handover.unclaimed().is_none());
            stream.framer.awaits_framing()
        });
        assert_eq!(came, head);
        assert_eq!(most, 0);
    }

    #[test]
    fn the_target_of_a_request_that_may_have_a_body_is_copied_and_hyper_sees_it() {
        for method in ["POST", "PUT", "BREW", "\r\nPOST"] {
            for size in [1, 7, READ] {
                let head = format!("{method} /postback/k?a=b HTTP/1.1\r\nHost: x\r\n\r\n");
                let handover = Handover::default();
                let pieces = head.as_bytes();
                let mut stream = TargetStream::new(pieces, QUERY_BYTES, handover.clone());
                let mut cx = Context::from_waker(Waker::noop());
                let mut came = Vec::new();
                while !stream.framer.awaits_framing() {
                    let mut buf = vec![0; size];
                    let mut buf = ReadBuf::new(&mut buf);
                    let polled = Pin::new(&mut stream).poll_read(&mut cx, &mut buf);
                    assert!(matches!(polled, Poll::Ready(Ok(()))));
                    came.extend_from_slice(buf.filled());
                }
                assert_eq!(came, head.as_bytes());
                let kept = handover.unclaimed().expect("it is kept");
                assert_eq!(&*kept.bytes, b"/postback/k?a=b", "{method} {size}");
                assert!(kept.shown && !kept.cut);
            }
        }
    }

    #[test]
    fn no_more_is_held_than_the_longest_target_and_one_read() {
        for text in ["x", "<", "a ", "\r"] {
            let bytes = format!("GET /{}", text.repeat(1_000_000));
            let (came, most) = read(bytes.as_bytes(), |_| false);
            assert!(came.len() < 100, "hyper gets an end instead");
            // A vector may have twice the room that it needs.
            let bound = 2 * (QUERY_BYTES + ROOM + VERSION_BYTES + READ);
            assert!(most <= bound, "{most} bytes are held");
        }
    }

    #[test]
    fn what_was_held_is_given_free_when_it_is_passed_on() {
        let bytes = format!("GET /{} HTTP/1.1\r\n\r\n", "< ".repeat(1_000));
        let mut stream = TargetStream::new(bytes.as_bytes(), QUERY_BYTES, Handover::default());
        let mut cx = Context::from_waker(Waker::noop());
        while !stream.framer.awaits_framing() {
            let mut buf = [0; READ];
            let polled = Pin::new(&mut stream).poll_read(&mut cx, &mut ReadBuf::new(&mut buf));
            assert!(matches!(polled, Poll::Ready(Ok(()))));
        }
        assert_eq!(stream.held.capacity(), 0);
    }
}
