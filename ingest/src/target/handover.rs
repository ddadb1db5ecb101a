//! What the stream and the service tell each other about the request that passes between them.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Uri;
use hyper::body::Body;

use super::{Original, Target};

/// Connects a connection's [`TargetStream`](super::TargetStream) with its service.
///
/// hyper drives both from one task and reads one request at a time, so that there is never more than
/// one head to hand over, and never two who act at once: plain loads and stores will do, and the lock
/// is never waited for.
#[derive(Clone, Default)]
pub struct Handover(Arc<Exchange>);

#[derive(Default)]
struct Exchange {
    /// A head has passed and is not claimed.
    head: AtomicBool,
    /// Its body, when it is claimed: its length, or one of the values below.
    body: AtomicU64,
    /// Whether `original` has its target; it is locked only then.
    kept: AtomicBool,
    original: Mutex<Option<Original>>,
}

/// Values of `body` that are no length; hyper refuses lengths from [`CHUNKED`] on.
const UNCLAIMED: u64 = u64::MAX;
const CHUNKED: u64 = u64::MAX - 1;

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
        let exchange = &*self.0;
        if !exchange.head.load(Relaxed) {
            return None;
        }
        exchange.head.store(false, Relaxed);
        let length = body.size_hint().exact();
        exchange.body.store(length.unwrap_or(CHUNKED), Relaxed);
        if !exchange.kept.load(Relaxed) {
            return Some(Seen::AsItCame);
        }
        let original = self.original().take()?;
        Some(match original.shown {
            true => Seen::AsItCame,
            false => Seen::StandIn(original),
        })
    }

    /// The target of a head that passed and was never claimed, because hyper refused it; `None` if
    /// it was not kept.
    #[must_use]
    pub fn unclaimed(&self) -> Option<Original> {
        let exchange = &*self.0;
        if !exchange.head.load(Relaxed) || !exchange.kept.load(Relaxed) {
            return None;
        }
        self.original().take()
    }

    /// A whole head passes; `kept` is its target if hyper has not seen it, or may drop it.
    pub(super) fn publish(&self, kept: Option<Original>) {
        let exchange = &*self.0;
        exchange.body.store(UNCLAIMED, Relaxed);
        exchange.head.store(true, Relaxed);
        exchange.kept.store(kept.is_some(), Relaxed);
        if kept.is_some() {
            *self.original() = kept;
        }
    }

    /// The body of the head that was published; `None` if it was not claimed.
    pub(super) fn body(&self) -> Option<Framing> {
        match self.0.body.load(Relaxed) {
            UNCLAIMED => None,
            CHUNKED => Some(Framing::Chunked),
            length => Some(Framing::Length(length)),
        }
    }

    fn original(&self) -> MutexGuard<'_, Option<Original>> {
        let original = self.0.original.lock();
        // It holds no half-made state: every change is one assignment.
        original.unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[test]
    fn a_head_is_claimed_once_and_its_body_known_from_then_on() {
        let handover = Handover::default();
        let body = Full::new(&b"abc"[..]);
        assert!(handover.claim(&body).is_none(), "nothing has passed");
        let original = |shown| Original {
            bytes: b"/#".as_slice().into(),
            cut: false,
            shown,
        };
        for kept in [None, Some(false), Some(true), None] {
            handover.publish(kept.map(original));
            assert!(handover.body().is_none(), "it is not claimed");
            let seen = handover.claim(&body);
            let is_hidden = kept == Some(false);
            assert_eq!(matches!(seen, Some(Seen::StandIn(_))), is_hidden);
            assert_eq!(matches!(seen, Some(Seen::AsItCame)), !is_hidden);
            assert!(matches!(handover.body(), Some(Framing::Length(3))));
            assert!(handover.claim(&body).is_none(), "it is claimed");
            assert!(handover.unclaimed().is_none(), "it is claimed");
            assert!(handover.original().is_none(), "it is given free");
            handover.publish(kept.map(original));
            assert_eq!(handover.unclaimed().is_some(), kept.is_some());
        }
    }
}
