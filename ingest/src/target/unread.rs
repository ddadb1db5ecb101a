//! How long the stream waits for a peer that does not read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Measures how long writing has stood still. While it stands still hyper does not read either, so
/// that no other bound on time is looked at.
///
/// Writing that goes on costs no timer: there is one only while it stands still.
pub(super) struct Unread {
    within: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Unread {
    pub(super) const fn new(within: Duration) -> Self {
        let timer = None;
        Self { within, timer }
    }

    /// Writing came to this. Ready with an error when it has come to nothing for too long.
    pub(super) fn judge<T>(
        &mut self,
        wrote: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.timer = None;
            return wrote;
        }
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep(self.within)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{Instant, timeout};

    use super::*;

    const STANDS_STILL: Poll<io::Result<usize>> = Poll::Pending;

    fn runtime() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().unwrap()
    }

    #[test]
    fn what_stands_still_ends_by_itself_after_its_time() {
        let within = Duration::from_millis(30);
        let (ended, took) = runtime().block_on(async {
            let (mut unread, begun) = (Unread::new(within), Instant::now());
            let ended = poll_fn(|cx| unread.judge(STANDS_STILL, cx));
            let ended = timeout(Duration::from_secs(30), ended).await;
            (ended.expect("it ends"), begun.elapsed())
        });
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(took >= within, "{took:?}");
    }

    #[test]
    fn progress_begins_the_time_anew_and_without_a_standstill_there_is_no_timer() {
        let runtime = runtime();
        let _inside = runtime.enter();
        let mut unread = Unread::new(Duration::from_secs(600));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let wrote = || Poll::Ready(Ok(7));
        assert!(matches!(unread.judge(wrote(), &mut cx), Poll::Ready(Ok(7))));
        assert!(unread.timer.is_none());
        assert!(unread.judge(STANDS_STILL, &mut cx).is_pending());
        let first = unread.timer.as_ref().unwrap().deadline();
        assert!(unread.judge(STANDS_STILL, &mut cx).is_pending());
        let second = unread.timer.as_ref().unwrap().deadline();
        assert_eq!(first, second, "it goes on standing still");
        assert!(unread.judge(wrote(), &mut cx).is_ready());
        assert!(unread.timer.is_none());
        let before = Instant::now();
        assert!(unread.judge(STANDS_STILL, &mut cx).is_pending());
        let third = unread.timer.as_ref().unwrap().deadline();
        assert!(third >= before + Duration::from_secs(600));
    }
}
