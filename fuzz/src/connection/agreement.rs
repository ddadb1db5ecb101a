//! hyper alone, and hyper behind the target stream, on the same bytes: the two must agree on where
//! each request begins, and on its body.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use postback_ingest::target::{Handover, Seen, Target, TargetStream};

use super::Input;
use super::sender::Sender;
use super::site::QUERY_BYTES;

/// A request as a service gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    method: String,
    path: Vec<u8>,
    query: Vec<u8>,
    /// hyper has not seen the target.
    hidden: bool,
    /// The target is longer.
    cut: bool,
    /// `None` if it broke off.
    body: Option<Vec<u8>>,
}

/// Lets both read the input and compares what they got.
///
/// Whatever hyper alone makes of bytes, it makes of them through the stream. It may go on where alone
/// it refuses a target; no request but such may come that it alone did not see.
///
/// # Panics
/// When they disagree.
pub(super) async fn check(input: &Input<'_>) {
    let alone = serve(input, false).await;
    let through = serve(input, true).await;
    for (at, one) in alone.iter().enumerate() {
        let Some(other) = through.get(at) else {
            panic!("lost: {one:?} of {alone:?}, not of {through:?}");
        };
        if other.cut {
            assert_eq!(through.len(), at + 1, "a request behind the last");
            return;
        }
        compare(one, other);
    }
    if let Some(more) = through.get(alone.len()) {
        assert!(more.hidden, "hyper alone has not seen {more:?}");
    }
}

fn compare(alone: &Got, through: &Got) {
    assert_eq!(alone.method, through.method);
    assert_eq!(alone.body, through.body, "{alone:?} {through:?}");
    // Of a hidden target hyper alone shows what it does not cut off; `OPTIONS *` and hosts are no
    // paths.
    if !through.hidden {
        assert_eq!(alone.path, through.path);
        assert_eq!(alone.query, through.query);
    }
}

/// What hyper gives a service that reads every body.
async fn serve(input: &Input<'_>, through: bool) -> Vec<Got> {
    let (sender, _) = Sender::of(input);
    let handover = Handover::default();
    let got = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let seen = if through {
            handover.claim(request.body())
        } else {
            Some(Seen::AsItCame)
        };
        let Some(seen) = seen else {
            panic!("hyper made a request of bytes in which the stream saw none");
        };
        let got = Rc::clone(&got);
        async move {
            keep(request, &seen, &got).await;
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut builder = http1::Builder::new();
    builder.half_close(true);
    // How a connection ends says nothing about its requests.
    let _ended = if through {
        let stream = TargetStream::new(sender, QUERY_BYTES, handover.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        connection.await
    } else {
        let connection = builder.serve_connection(TokioIo::new(sender), service);
        connection.await
    };
    got.take()
}

async fn keep(request: Request<Incoming>, seen: &Seen, got: &RefCell<Vec<Got>>) {
    let Target { path, query, cut } = seen.target(request.uri());
    let kept = Got {
        method: request.method().to_string(),
        path: path.to_vec(),
        query: query.to_vec(),
        hidden: matches!(seen, Seen::StandIn(_)),
        cut,
        body: None,
    };
    let at = got.borrow().len();
    got.borrow_mut().push(kept);
    let body = request.into_body().collect().await.ok();
    let body = body.map(|body| body.to_bytes().to_vec());
    if let Some(kept) = got.borrow_mut().get_mut(at) {
        kept.body = body;
    }
}
