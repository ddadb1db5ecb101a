//! hyper on a connection whose packets are known, through the target stream or without it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use postback_ingest::target::{Handover, Seen, Target, TargetStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pieces::Pieces;

pub(crate) const QUERY_BYTES: usize = 1_000;

/// A request as a service gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) method: String,
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<u8>,
    /// `None` if it broke off.
    pub(crate) body: Option<Vec<u8>>,
}

/// What came of a connection.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) got: Vec<Got>,
    /// Which of them hyper saw under a stand-in.
    pub(crate) hidden: Vec<bool>,
    /// Requests of hyper's that the stream knows nothing of.
    pub(crate) unclaimed: usize,
    /// Everything that hyper read.
    pub(crate) read: Vec<u8>,
}

/// Keeps what hyper reads.
struct Tap<S> {
    io: S,
    read: Rc<RefCell<Vec<u8>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let from = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        let fresh = &buf.filled()[from..];
        self.read.borrow_mut().extend_from_slice(fresh);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// hyper reading `sender` through the stream, or as it is.
pub(crate) fn serve(sender: Pieces, through: bool) -> Run {
    let handover = Handover::default();
    let run = Rc::new(RefCell::new(Run::default()));
    let read = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let seen = if through {
            handover.claim(request.body())
        } else {
            Some(Seen::AsItCame)
        };
        let run = Rc::clone(&run);
        async move {
            match seen {
                Some(seen) => keep(request, &seen, &run).await,
                None => run.borrow_mut().unclaimed += 1,
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut builder = http1::Builder::new();
    builder.half_close(true);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    // How a connection ends says nothing about its requests.
    let _ended = runtime.unwrap().block_on(async {
        let read = Rc::clone(&read);
        if through {
            let io = TargetStream::new(sender, QUERY_BYTES, handover.clone());
            let io = TokioIo::new(Tap { io, read });
            builder.serve_connection(io, service).await
        } else {
            let io = TokioIo::new(Tap { io: sender, read });
            builder.serve_connection(io, service).await
        }
    });
    run.borrow_mut().read = read.take();
    run.take()
}

async fn keep(request: Request<Incoming>, seen: &Seen, run: &RefCell<Run>) {
    let Target { path, query, .. } = seen.target(request.uri());
    let got = Got {
        method: request.method().to_string(),
        path: path.to_vec(),
        query: query.to_vec(),
        body: None,
    };
    let number = run.borrow().got.len();
    run.borrow_mut().got.push(got);
    let hidden = matches!(seen, Seen::StandIn(_));
    run.borrow_mut().hidden.push(hidden);
    let body = request.into_body().collect().await;
    let body = body.ok().map(|body| body.to_bytes().to_vec());
    run.borrow_mut().got[number].body = body;
}

pub(crate) fn got(method: &str, path: &[u8], query: &[u8], body: &[u8]) -> Got {
    Got {
        method: method.to_owned(),
        path: path.to_vec(),
        query: query.to_vec(),
        body: Some(body.to_vec()),
    }
}
