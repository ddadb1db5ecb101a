//! One connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use postback_common::reason::Refusal;
use postback_service::lifecycle::Shutdown;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use crate::metrics::IngestMetrics;
use crate::server::Server;

/// Room for headers and the request line around the longest query. hyper answers 431 beyond it.
const HEAD_BYTES: usize = 64 * 1024;

/// After hyper refused a head, what still comes is read for so long, up to so many bytes: closing
/// with unread bytes would reset the connection, and the sender might never see the refusal.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// Answers the requests of one connection until it ends, or until `shutdown` and the answer to the
/// request under way.
pub(super) async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    server: Arc<Server>,
    shutdown: Shutdown,
) {
    let _open = Open::count(server.metrics());
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY");
    }
    let remote: Arc<str> = peer.ip().to_canonical().to_string().into();
    let service = service_fn(|request| {
        let (server, remote) = (Arc::clone(&server), Arc::clone(&remote));
        async move { Ok::<_, Infallible>(server.answer(request, &remote).await) }
    });
    // What takes the bytes before hyper judges them goes around `stream`, here.
    let mut connection = builder(&server).serve_connection(TokioIo::new(stream), service);
    let mut running = Pin::new(&mut connection);
    let ended = tokio::select! {
        ended = running.as_mut() => ended,
        () = shutdown.cancelled() => {
            running.as_mut().graceful_shutdown();
            running.await
        }
    };
    let Err(error) = ended else { return };
    let parts = connection.into_parts();
    if let Some(refusal) = refusal(&error, !parts.read_buf.is_empty()) {
        debug!(reason = refusal.as_str(), "refused before it was a request");
        server.metrics().unread(refusal);
        if refusal != Refusal::HeadIncomplete {
            linger(parts.io.into_inner()).await;
        }
    }
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

async fn linger(mut stream: TcpStream) {
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
