//! One connection.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use postback_common::reason::Refusal;
use postback_service::lifecycle::Shutdown;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tracing::debug;

use crate::answer::{self, Answer};
use crate::metrics::IngestMetrics;
use crate::refusals::Glimpse;
use crate::server::Server;
use crate::target::{Handover, Target, TargetStream};

/// Room for headers and the request line around the longest query. hyper answers 431 beyond it.
const HEAD_BYTES: usize = 64 * 1024;

/// After a head was refused that was not read whole, what still comes is read for so long, up to so
/// many bytes: closing with unread bytes would reset the connection, and the sender might never see
/// the refusal.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// Answers the requests of one connection of the sender at `peer` until it ends, or until `shutdown`
/// and the answer to the request under way.
pub async fn answer<S>(stream: S, peer: IpAddr, server: Arc<Server>, shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let _open = Open::count(server.metrics());
    let remote: Arc<str> = peer.to_canonical().to_string().into();
    let handover = Handover::default();
    let stream = TargetStream::new(stream, server.sizes().query_bytes, handover.clone());
    let service = service_fn(|request| {
        // Claimed before hyper reads on, not when the future is polled.
        let seen = handover.claim(request.body());
        let (server, remote) = (Arc::clone(&server), Arc::clone(&remote));
        async move {
            let Some(seen) = seen else {
                return Ok::<_, Infallible>(disagreed(&server, &remote));
            };
            Ok(server.answer(request, seen, &remote).await)
        }
    });
    let mut connection = builder(&server).serve_connection(TokioIo::new(stream), service);
    let mut running = Pin::new(&mut connection);
    let ended = tokio::select! {
        ended = running.as_mut() => ended,
        () = shutdown.cancelled() => {
            running.as_mut().graceful_shutdown();
            running.await
        }
    };
    let parts = connection.into_parts();
    let stream = parts.io.into_inner();
    let refusal = ended
        .err()
        .and_then(|error| refusal(&error, !parts.read_buf.is_empty()));
    if let Some(refusal) = refusal {
        let unclaimed = handover.unclaimed();
        let unseen = unclaimed.as_ref().map(Target::of_original);
        let unseen = unseen.or_else(|| stream.unseen_target());
        let glimpse = Glimpse::of_unread(&parts.read_buf, unseen, &remote);
        server.refuse_unread(refusal, &glimpse);
    }
    let unread = refusal.is_some_and(|refusal| refusal != Refusal::HeadIncomplete);
    if unread || stream.ends_early() {
        linger(stream.into_inner()).await;
    }
}

/// hyper made a request of bytes in which we saw none: nothing on this connection can be trusted.
fn disagreed(server: &Server, remote: &str) -> Answer {
    server.refuse_unread(Refusal::Unparsable, &Glimpse::of_sender(remote));
    let mut answer = answer::refused(Refusal::Unparsable);
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn builder(server: &Server) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(server.limits().head_within)
        .max_buf_size(server.sizes().query_bytes + HEAD_BYTES)
        // A sender may close its side after the request and still wait for the answer.
        .half_close(true)
        .keep_alive(true);
    builder
}

/// What hyper's error says about a request that no handler saw. An idle connection that ends, or a
/// body that breaks off (which its handler has counted), is none.
fn refusal(error: &hyper::Error, some_came: bool) -> Option<Refusal> {
    if error.is_parse_too_large() {
        Some(Refusal::HeadTooLarge)
    } else if error.is_parse() {
        Some(Refusal::Unparsable)
    } else if some_came && (error.is_incomplete_message() || error.is_timeout()) {
        Some(Refusal::HeadIncomplete)
    } else {
        None
    }
}

async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let reading = async {
        stream.shutdown().await?;
        let mut left = LINGER_BYTES;
        let mut scrap = [0; 4096];
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
