//! How long the stream waits for its sender.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// What the sender is waited for with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first byte of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// Anything else: bodies and answers have bounds of their own.
    Other,
}

/// Measures the time between two requests and the time that a head takes: apart, because an idle
/// connection is cheap and common, and a head that does not come to its end is neither.
///
/// A request whose head comes in one piece costs no timer, only a look at the clock: the one that ran
/// before it runs on, and is moved when it has run out too early.
pub(super) struct Patience {
    idle: Duration,
    head: Duration,
    /// What is waited for.
    stage: Stage,
    /// Until when, while it is something.
    end: Option<Instant>,
    /// Never runs longer than until then.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whom the timer wakes.
    woken: Option<Waker>,
}

impl Patience {
    pub(super) const fn new(idle: Duration, head: Duration) -> Self {
        Self {
            idle,
            head,
            stage: Stage::Other,
            end: None,
            timer: None,
            woken: None,
        }
    }

    /// A whole head has come.
    pub(super) fn begin_anew(&mut self) {
        self.stage = Stage::Other;
        self.end = None;
    }

    /// Nothing came, in this stage of a request. Ready when its time is up.
    pub(super) fn poll_end(&mut self, stage: Stage, cx: &mut Context<'_>) -> Poll<()> {
        let within = match stage {
            Stage::Idle => self.idle,
            Stage::Head => self.head,
            Stage::Other => return Poll::Pending,
        };
        let end = match self.end {
            Some(end) if self.stage == stage => end,
            _ => {
                self.stage = stage;
                let end = Instant::now() + within;
                *self.end.insert(end)
            }
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
            self.woken = None;
        }
        let is_set = |woken: &Waker| woken.will_wake(cx.waker());
        if !timer.is_elapsed() && self.woken.as_ref().is_some_and(is_set) {
            return Poll::Pending;
        }
        self.woken = Some(cx.waker().clone());
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
    }
}
