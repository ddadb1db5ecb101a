//! What the stream and the service tell each other about the request that passes between them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Uri;
use hyper::body::Body;

use super::{Original, Target};

/// Connects a connection's [`TargetStream`](super::TargetStream) with its service.
///
/// hyper drives both from one task and reads one request at a time, so that there is never more than
/// one head to hand over, and the lock is never waited for.
#[derive(Clone, Default)]
pub struct Handover(Arc<Mutex<Exchange>>);

#[derive(Default)]
struct Exchange {
    head: Option<Seen>,
    body: Option<Framing>,
}

/// What hyper has seen of a request's target.
pub enum Seen {
    /// The target as it came.
    AsItCame,
    /// A stand-in; this is the target.
    StandIn(Original),
}

/// How hyper understands the body of the request that it has just read the head of.
#[derive(Clone, Copy)]
pub(super) enum Framing {
    /// So many bytes; 0 without a body.
    Length(u64),
    Chunked,
}

impl Handover {
    /// Takes what is known of the target of the request that hyper has just read, and tells the
    /// stream what `body` hyper expects. To be called as soon as hyper calls the service: before it
    /// returns a future, for hyper may read on at once.
    ///
    /// `None` if the stream passed no whole head: it and hyper disagree, and the request must be
    /// refused.
    #[must_use]
    pub fn claim(&self, body: &impl Body) -> Option<Seen> {
        let mut exchange = self.lock();
        let head = exchange.head.take()?;
        let length = body.size_hint().exact();
        exchange.body = Some(length.map_or(Framing::Chunked, Framing::Length));
        Some(head)
    }

    /// A whole head passes.
    pub(super) fn publish(&self, head: Seen) {
        let mut exchange = self.lock();
        exchange.body = None;
        exchange.head = Some(head);
    }

    /// The body of the head that was published; `None` if it was not claimed.
    pub(super) fn body(&self) -> Option<Framing> {
        self.lock().body.take()
    }

    fn lock(&self) -> MutexGuard<'_, Exchange> {
        // It holds no half-made state: every change is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// The target; `uri` is what hyper made of what it saw.
    #[must_use]
    pub fn target<'a>(&'a self, uri: &'a Uri) -> Target<'a> {
        match self {
            Self::AsItCame => Target::of_uri(uri),
            Self::StandIn(original) => Target::of_original(original),
        }
    }
}
