//! How long the stream waits for its sender.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

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
/// A request whose head comes in one piece costs no timer of its own: the one that ran before it is
/// moved when the connection idles again.
pub(super) struct Patience {
    idle: Duration,
    head: Duration,
    /// What the timer runs for.
    stage: Stage,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) const fn new(idle: Duration, head: Duration) -> Self {
        Self {
            idle,
            head,
            stage: Stage::Other,
            timer: None,
        }
    }

    /// A whole head has come.
    pub(super) fn begin_anew(&mut self) {
        self.stage = Stage::Other;
    }

    /// Nothing came, in this stage of a request. Ready when its time is up.
    pub(super) fn poll_end(&mut self, stage: Stage, cx: &mut Context<'_>) -> Poll<()> {
        let within = match stage {
            Stage::Idle => self.idle,
            Stage::Head => self.head,
            Stage::Other => return Poll::Pending,
        };
        if self.stage != stage {
            self.stage = stage;
            if let Some(timer) = &mut self.timer {
                timer.as_mut().reset(Instant::now() + within);
            }
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(within)));
        timer.as_mut().poll(cx)
    }
}
