//! One request of a caller, from its head to its answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body, Frame, SizeHint};

use super::Network;
use super::conduct::ApiTrouble;

/// Counted while it is under way, where it asks for transactions.
pub(super) struct Visit {
    network: Network,
    is_counted: bool,
    is_one_too_many: bool,
    pause: Duration,
    trouble: Option<ApiTrouble>,
}

impl Visit {
    pub(super) fn begin(network: &Network, is_counted: bool) -> Self {
        let mut state = network.state();
        let moods = &mut state.moods;
        let is_one_too_many = is_counted && moods.under_way >= moods.conduct.calls_at_once;
        moods.under_way += usize::from(is_counted);
        let trouble = moods.next();
        let slowness = match trouble {
            Some(ApiTrouble::Slow) => moods.conduct.slowness,
            _ => Duration::ZERO,
        };
        let pause = moods.conduct.latency + slowness;
        drop(state);
        Self {
            network: network.clone(),
            is_counted,
            is_one_too_many,
            pause,
            trouble,
        }
    }

    /// Takes its time, unless it is refused.
    pub(super) async fn pause(&self) {
        if !self.is_one_too_many && !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
    }

    pub(super) fn refusal(&self) -> Option<StatusCode> {
        match self.trouble {
            _ if self.is_one_too_many => Some(StatusCode::TOO_MANY_REQUESTS),
            Some(ApiTrouble::TooManyRequests) => Some(StatusCode::TOO_MANY_REQUESTS),
            Some(ApiTrouble::ServerError) => Some(StatusCode::INTERNAL_SERVER_ERROR),
            _ => None,
        }
    }

    pub(super) fn trouble(&self) -> Option<ApiTrouble> {
        self.trouble.filter(|_| !self.is_one_too_many)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.network.state().moods.under_way -= usize::from(self.is_counted);
    }
}

/// An answer's body, or the first part of it.
pub(super) struct Sent {
    data: Option<Bytes>,
    /// Bytes that are promised and do not come.
    missing: u64,
    /// The first part is on its way before the connection breaks.
    is_sent: bool,
}

impl Sent {
    pub(super) fn whole(text: Bytes) -> Self {
        Self {
            data: Some(text).filter(|text| !text.is_empty()),
            missing: 0,
            is_sent: false,
        }
    }

    /// The half of it, which says that it is the whole.
    pub(super) fn half(mut text: Bytes) -> Self {
        let missing = text.split_off(text.len() / 2);
        Self {
            missing: missing.len() as u64,
            ..Self::whole(text)
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if self.missing == 0 {
            return Poll::Ready(None);
        }
        if !self.is_sent {
            // Whoever waits for more sends what is there.
            self.is_sent = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.missing == 0
    }

    fn size_hint(&self) -> SizeHint {
        let there = self.data.as_ref().map_or(0, Bytes::len) as u64;
        SizeHint::with_exact(there + self.missing)
    }
}
