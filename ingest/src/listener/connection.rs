//! One connection.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, Waker};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use postback_common::reason::Refusal;
use postback_service::lifecycle::Shutdown;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tracing::debug;

use crate::answer::{self, Answer};
use crate::caller::Caller;
use crate::metrics::IngestMetrics;
use crate::refusals::Glimpse;
use crate::server::Server;
use crate::target::{GaveUp, Handover, Target, TargetStream};

/// Room for headers and the request line around the longest query. hyper answers 431 beyond it.
const HEAD_BYTES: usize = 64 * 1024;

/// After a request was refused that was not read whole, what still comes is read for so long, up to so
/// many bytes: closing with unread bytes would reset the connection, and the sender might never see
/// the refusal.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// At the end, how long a connection that has never carried a request may still begin one: somebody
/// has connected to send it.
pub(super) const FIRST_WITHIN: Duration = Duration::from_secs(1);

/// What ends connections from outside. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Ends(Arc<(Shutdown, Shutdown)>);

impl Ends {
    /// Ends each behind the request under way, or the first one.
    #[must_use]
    pub fn stop(&self) -> &Shutdown {
        &self.0.0
    }

    /// After that: ends those at once that no request has come from.
    #[must_use]
    pub fn give_up(&self) -> &Shutdown {
        &self.0.1
    }
}

impl From<Shutdown> for Ends {
    fn from(stop: Shutdown) -> Self {
        Self(Arc::new((stop, Shutdown::new())))
    }
}

/// Answers the requests of one connection from `peer` until it ends, or until it is to end.
pub async fn answer<S>(stream: S, peer: IpAddr, server: Arc<Server>, ends: impl Into<Ends>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let ends = ends.into();
    let _open = Open::count(server.metrics());
    let peer = Caller::new(peer);
    let handover = Handover::default();
    let limits = server.limits();
    let stream = TargetStream::new(stream, server.sizes().query_bytes, handover.clone())
        .patient(limits.idle_within, limits.head_within)
        .insisting(limits.unread_within)
        .within(server.room());
    let has_asked = AtomicBool::new(false);
    let server = &*server;
    let service = service_fn(|request: Request<Incoming>| {
        // Claimed before hyper reads on, not when the future is polled.
        let seen = handover.claim(request.body());
        let caller = peer.behind(server.trusted_proxies(), request.headers());
        has_asked.store(true, Relaxed);
        let (mut head, body) = request.into_parts();
        async move {
            let Some(seen) = seen else {
                return Ok::<_, Infallible>(last(disagreed(server, &caller)));
            };
            let answer = server.answer(&mut head, body, &seen, &caller).await;
            Ok(if server.is_ending() {
                last(answer)
            } else {
                answer
            })
        }
    });
    let mut connection = builder(server).serve_connection(TokioIo::new(stream), service);
    let mut running = Pin::new(&mut connection);
    let mut ended = until(running.as_mut(), ends.stop()).await;
    if ended.is_none() {
        // Rare and long: not in the future that every connection has room for.
        ended = Box::pin(async {
            let given_up = unasked(ends.give_up(), &has_asked);
            if !has_asked.load(Relaxed)
                && let Some(ended) = first(running.as_mut(), ends.give_up()).await
            {
                return Some(ended);
            }
            running.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                ended = running => Some(ended),
                () = given_up => None,
            }
        })
        .await;
    }
    let Some(ended) = ended else { return };
    let parts = connection.into_parts();
    let stream = parts.io.into_inner();
    let refusal = match stream.gave_up() {
        Some(GaveUp::Full) => Some(Refusal::Overloaded),
        _ => ended
            .err()
            .and_then(|error| refusal(&error, !parts.read_buf.is_empty())),
    };
    if let Some(refusal) = refusal {
        let unclaimed = handover.unclaimed();
        let kept = unclaimed.as_ref().map(Target::of_original);
        let kept = kept.or_else(|| stream.unseen_target());
        let glimpse = Glimpse::of_unread(&parts.read_buf, kept, peer.as_str());
        server.refuse_unread(refusal, &glimpse);
    }
    let unread = refusal.is_some_and(|refusal| refusal != Refusal::HeadIncomplete);
    if unread || stream.ends_early() {
        linger(stream.into_inner()).await;
    }
}

/// What comes of `running`; `None` if `stop` comes before. What has come is answered before the end is
/// looked at.
async fn until<F: Future>(mut running: Pin<&mut F>, stop: &Shutdown) -> Option<F::Output> {
    let mut stopped = pin!(stop.cancelled());
    // Asking costs locks, twice a request: it is enough to be told.
    let mut told: Option<Waker> = None;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = running.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        let waker = cx.waker();
        if told.as_ref().is_some_and(|told| told.will_wake(waker)) && !stop.is_cancelled() {
            return Poll::Pending;
        }
        told = Some(waker.clone());
        stopped.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// What comes of `running` while the first request may still come.
async fn first<F: Future>(running: Pin<&mut F>, give_up: &Shutdown) -> Option<F::Output> {
    tokio::select! {
        biased;
        ended = timeout(FIRST_WITHIN, running) => ended.ok(),
        () = give_up.cancelled() => None,
    }
}

/// Comes to an end when the connection is given up; never, once it has asked.
async fn unasked(give_up: &Shutdown, has_asked: &AtomicBool) {
    give_up.cancelled().await;
    if has_asked.load(Relaxed) {
        pending::<()>().await;
    }
}

/// The connection ends behind it.
fn last(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// hyper made a request of bytes in which we saw none: nothing on this connection can be trusted.
fn disagreed(server: &Server, caller: &Caller) -> Answer {
    server.refuse_unread(Refusal::Unparsable, &Glimpse::of_sender(caller.as_str()));
    answer::refused(Refusal::Unparsable)
}

fn builder(server: &Server) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // The stream below bounds it, and tells an idle connection from a slow head.
        .header_read_timeout(None)
        .max_buf_size(server.sizes().query_bytes + HEAD_BYTES)
        // A sender may close its side after the request and still wait for the answer.
        .half_close(true)
        .keep_alive(true)
        // An answer is short: copying it together costs less than a list of its pieces.
        .writev(false);
    builder
}

/// What hyper's error says about a request that no handler saw. An idle connection that ends, or a
/// body that breaks off (which its handler has counted), is none.
fn refusal(error: &hyper::Error, some_came: bool) -> Option<Refusal> {
    if error.is_parse_too_large() {
        Some(Refusal::HeadTooLarge)
    } else if error.is_parse() {
        Some(Refusal::Unparsable)
    } else if some_came && error.is_incomplete_message() {
        Some(Refusal::HeadIncomplete)
    } else {
        None
    }
}

pub(super) async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let reading = async {
        stream.shutdown().await?;
        let mut left = LINGER_BYTES;
        // Not in the future itself, which every open connection has.
        let mut scrap = vec![0; 4096];
        while left > 0 {
            match stream.read(&mut scrap).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        Ok::<_, std::io::Error>(())
    };
    // Whatever ends it, the connection is closed next.
    if let Ok(Err(error)) = timeout(LINGER, reading).await {
        debug!(%error, "lingering");
    }
}

/// Counts an open connection.
struct Open<'a>(&'a IngestMetrics);

impl<'a> Open<'a> {
    fn count(metrics: &'a IngestMetrics) -> Self {
        metrics.connections.inc();
        Self(metrics)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}
