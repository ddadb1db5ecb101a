//! The admin listener: `/healthz`, `/readyz`, `/metrics`. For operators, never for networks.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::lifecycle::Shutdown;
pub use crate::listen::{BindError, bind};
use crate::metrics::{self, Metrics};
use crate::probes::{Readiness, Reported};

/// Connections at once; further ones wait in the listener's queue.
const MAX_CONNECTIONS: usize = 64;

/// Time for a whole connection, idle or not: scrapers connect anew or come more often.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);

/// Time for the head of a request, and between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

const INDEX: &str = "/healthz   200 while the process answers\n\
                     /readyz    200 when it can do its work, otherwise 503 with the reason\n\
                     /metrics   in the OpenMetrics text format\n";

/// What the listener shows. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Shown by `/readyz`.
    pub readiness: Readiness,
    /// Shown by `/metrics`.
    pub metrics: Arc<Metrics>,
}

/// Serves until `shutdown`. Connections that are open then are dropped.
pub async fn serve(listener: TcpListener, admin: Admin, shutdown: Shutdown) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "the admin listener cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (admin, shutdown) = (admin.clone(), shutdown.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = connection(stream, admin) => {}
            }
            drop(permit);
        });
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await;
    let permit = permit.map_err(io::Error::other)?;
    listener.accept().await.map(|(stream, _)| (stream, permit))
}

async fn connection(stream: TcpStream, admin: Admin) {
    let service = service_fn(move |request| {
        let response = answer(&request, &admin);
        async move { Ok::<_, Infallible>(response) }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, serving).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => debug!(%error, "admin connection"),
    }
}

fn answer<B>(request: &Request<B>, admin: &Admin) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    match request.uri().path() {
        "/" => text(StatusCode::OK, INDEX),
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => ready(&admin.readiness),
        "/metrics" => measured(&admin.metrics),
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

/// One line for each probe.
fn ready(readiness: &Readiness) -> Response<Full<Bytes>> {
    let report = readiness.report();
    let status = if report.iter().all(Reported::lets_work) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let lines: String = report.iter().map(|line| format!("{line}\n")).collect();
    text(status, lines)
}

fn measured(metrics: &Metrics) -> Response<Full<Bytes>> {
    match metrics.encode() {
        Ok(encoded) => {
            let mut response = text(StatusCode::OK, encoded);
            let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(error) => {
            warn!(%error, "metrics cannot be printed");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "metrics cannot be printed\n",
            )
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn get(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn it_answers_what_it_lists_and_ends_at_shutdown() {
        let readiness = Readiness::new();
        let probe = readiness.probe("kafka");
        let admin = Admin {
            readiness,
            metrics: Arc::new(Metrics::new()),
        };
        let listener = bind("test", ([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(serve(listener, admin, shutdown.clone()));

        probe.fail("topic t does not exist", "run `postback migrate`");
        let unready = get(address, "/readyz").await;
        assert!(unready.starts_with("HTTP/1.1 503 "), "{unready}");
        let line = "\r\n\r\nfail kafka: topic t does not exist: run `postback migrate`\n";
        assert!(unready.ends_with(line), "{unready}");
        probe.pass();
        let ready = get(address, "/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 200 "), "{ready}");
        assert!(ready.ends_with("\r\n\r\nok   kafka\n"), "{ready}");

        let metrics = get(address, "/metrics").await;
        assert!(metrics.contains("postback_build_info{"), "{metrics}");
        assert!(metrics.ends_with("# EOF\n"), "{metrics}");
        for path in INDEX
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
        {
            let found = get(address, path).await;
            assert!(found.starts_with("HTTP/1.1 200 "), "{path}: {found}");
        }
        assert!(get(address, "/").await.starts_with("HTTP/1.1 200 "));
        assert!(get(address, "/x").await.starts_with("HTTP/1.1 404 "));

        shutdown.cancel();
        serving.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
