//! One request from its head to its answer, every outcome counted.

use std::mem::take;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use arc_swap::ArcSwap;
use hyper::Method;
use hyper::body::{Body as _, Incoming};
use hyper::header::EXPECT;
use hyper::http::request::Parts;
use postback_common::addresses::Addresses;
use postback_common::config::{Settings, SourceSettings};
use postback_common::reason::Refusal;
use tokio::time::Instant;
use tracing::field::{Empty, display};
use tracing::{Instrument as _, Span, debug, debug_span};

use crate::accept::{Acceptor, Postback};
use crate::answer::{self, Answer};
use crate::body;
use crate::caller::Caller;
use crate::gate::{self, Sizes, Verdict};
use crate::limits::Limits;
use crate::metrics::IngestMetrics;
use crate::refusals::{Glimpse, Refusals};
use crate::room::Room;
use crate::sources::{Sources, UrlKey};
use crate::storage::Way;
use crate::target::Seen;

/// Everything that a request needs; shared by all connections.
pub struct Server {
    sources: ArcSwap<Sources>,
    acceptor: Acceptor,
    sizes: Sizes,
    /// How long a record's storage is waited for.
    store_within: std::time::Duration,
    limits: Limits,
    room: Room,
    trusted_proxies: Addresses,
    is_ending: AtomicBool,
    refusals: Refusals,
    metrics: IngestMetrics,
}

impl Server {
    /// Answers with the given sources and limits until [`Server::replace_sources`].
    #[must_use]
    pub fn new(
        settings: &Settings,
        acceptor: Acceptor,
        limits: Limits,
        refusals: Refusals,
        metrics: IngestMetrics,
    ) -> Self {
        let ingest = &settings.ingest;
        Self {
            sources: ArcSwap::from_pointee(Sources::new(&settings.sources, &metrics)),
            acceptor,
            sizes: Sizes {
                query_bytes: ingest.max_query_bytes,
                body_bytes: ingest.max_body_bytes,
            },
            store_within: ingest.store_within(),
            limits,
            room: Room::new(limits.request_bytes),
            trusted_proxies: ingest.trusted_proxies.clone(),
            is_ending: AtomicBool::new(false),
            refusals,
            metrics,
        }
    }

    /// From now on every answer is the last of its connection.
    pub fn begin_end(&self) {
        self.is_ending.store(true, Relaxed);
    }

    /// Whether every answer is to be the last of its connection.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Relaxed)
    }

    /// Memory for requests that are under way.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Whose `X-Forwarded-For` is believed.
    #[must_use]
    pub fn trusted_proxies(&self) -> &Addresses {
        &self.trusted_proxies
    }

    /// From now on these are the sources; requests that are being answered keep the old ones.
    pub fn replace_sources(&self, sources: &[SourceSettings]) {
        let sources = Sources::new(sources, &self.metrics);
        self.sources.store(Arc::new(sources));
    }

    /// The longest query and body.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Bounds on connections and times.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &IngestMetrics {
        &self.metrics
    }

    /// Answers one request of `caller`, given in its parts. `seen` says whether `head` shows its
    /// target; its headers may be gone afterwards.
    ///
    /// Runs in a span of its own, which carries the names of source and key, never the key.
    pub async fn answer(
        &self,
        head: &mut Parts,
        body: Incoming,
        seen: &Seen,
        caller: &Caller,
    ) -> Answer {
        let span = debug_span!(
            "request",
            id = Empty,
            source = Empty,
            key = Empty,
            status = Empty
        );
        let mut under_way = UnderWay::begin(&self.metrics);
        let answer = {
            // Pinned where it stands: a span that takes it in would copy it twice.
            let deciding = pin!(self.decide(head, body, seen, caller, &mut under_way, &span));
            deciding.instrument(span.clone()).await
        };
        span.record("status", answer.status().as_u16());
        let took = under_way.finish();
        span.in_scope(|| debug!(?took, "answered"));
        answer
    }

    async fn decide(
        &self,
        head: &mut Parts,
        incoming: Incoming,
        seen: &Seen,
        caller: &Caller,
        under_way: &mut UnderWay<'_>,
        span: &Span,
    ) -> Answer {
        let target = seen.target(&head.uri);
        let glimpse = || Glimpse::of_request(head, target, caller.as_str());
        if under_way.others >= self.limits.in_flight {
            let key = gate::owner(&self.sources.load(), &target);
            return self.refuse(Refusal::Overloaded, key.as_deref(), &glimpse());
        }
        let judged = gate::Head {
            method: &head.method,
            target: &target,
            headers: &head.headers,
            announced_body: incoming.size_hint().exact(),
            caller: caller.address(),
        };
        let sources = self.sources.load();
        let verdict = gate::judge(&sources, &judged, &self.sizes);
        drop(sources);
        let key = match verdict {
            Verdict::Postback(key) => key,
            Verdict::Tried(key) => {
                name(&key, span);
                key.metrics.tried.inc();
                return answer::tried();
            }
            Verdict::Refused(refusal, key) => {
                // A sender that waits for "100 Continue" has not sent its body and must not be asked.
                if head.method != Method::HEAD && !head.headers.contains_key(EXPECT) {
                    body::drain(incoming);
                }
                return self.refuse(refusal, key.as_deref(), &glimpse());
            }
        };
        name(&key, span);
        let bounds = body::Bounds {
            bytes: self.sizes.body_bytes,
            within: self.limits.body_within,
            room: &self.room,
        };
        // Without a body, the request was whole when it came here.
        let is_whole = incoming.is_end_stream();
        let body = match body::read(incoming, bounds).await {
            Ok(body) => body,
            Err(refusal) => return self.refuse(refusal, Some(&key), &glimpse()),
        };
        if !is_whole {
            under_way.whole = Instant::now();
        }
        let whole = under_way.whole;
        let deadline = whole + self.store_within;
        let postback = Postback {
            key: &key,
            secret: gate::url_key(target.path).unwrap_or_default(),
            head,
            query: target.query,
            body: &body.bytes,
            remote: caller.as_str(),
        };
        match self.acceptor.accept(&postback, whole, deadline).await {
            Ok((id, way)) => {
                under_way.way = Some(way);
                span.record("id", display(id));
                key.metrics.stored();
                answer::stored(&key.reply, id, take(&mut head.headers))
            }
            Err(refusal) => self.refuse(refusal, Some(&key), &glimpse()),
        }
    }

    /// Counts and notes what was refused before it was a request of which anything is known but
    /// `glimpse`: under its key, if so much of the target came.
    pub fn refuse_unread(&self, refusal: Refusal, glimpse: &Glimpse<'_>) {
        debug!(reason = refusal.as_str(), "refused before it was a request");
        let target = glimpse.target.as_ref();
        let key = target.and_then(|target| gate::owner(&self.sources.load(), target));
        self.count_and_note(refusal, key.as_deref(), glimpse);
    }

    fn refuse(&self, refusal: Refusal, key: Option<&UrlKey>, glimpse: &Glimpse<'_>) -> Answer {
        self.count_and_note(refusal, key, glimpse);
        debug!(reason = refusal.as_str(), "refused");
        answer::refused(refusal)
    }

    fn count_and_note(&self, refusal: Refusal, key: Option<&UrlKey>, glimpse: &Glimpse<'_>) {
        self.metrics.refused(refusal, key.map(|key| &key.metrics));
        self.refusals.note(refusal, glimpse, &self.sources.load());
    }
}

fn name(key: &UrlKey, span: &Span) {
    span.record("source", key.source.as_str());
    span.record("key", key.name.as_str());
}

/// A request being answered. Dropped before its end, it counts as abandoned: the connection broke.
struct UnderWay<'a> {
    metrics: &'a IngestMetrics,
    /// How many were being answered when it came.
    others: usize,
    /// When its last byte had come; until the body is read, its head.
    whole: Instant,
    /// Where its record was stored, if it was.
    way: Option<Way>,
    finished: bool,
}

impl<'a> UnderWay<'a> {
    fn begin(metrics: &'a IngestMetrics) -> Self {
        let others = metrics.in_flight.inc();
        Self {
            metrics,
            others: usize::try_from(others).unwrap_or_default(),
            whole: Instant::now(),
            way: None,
            finished: false,
        }
    }

    fn finish(mut self) -> std::time::Duration {
        self.finished = true;
        let took = self.whole.elapsed();
        self.metrics.answered(self.way, took);
        took
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        if !self.finished {
            self.metrics.abandoned.inc();
        }
    }
}
