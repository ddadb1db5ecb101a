//! Who may come in: the URL key, then the method, then the sizes. Pure.

use std::sync::Arc;

use hyper::Method;
use postback_common::reason::Refusal;
use postback_common::url_key::KeyHash;

use crate::sources::{Sources, UrlKey};
use crate::target::Target;

/// What stands before the key in the path.
const PREFIX: &[u8] = b"/postback/";

/// What the gate says about the head of a request.
#[derive(Debug)]
pub enum Verdict {
    /// A postback of this key.
    Postback(Arc<UrlKey>),
    /// `HEAD`: somebody tries whether the URL works. Nothing is stored.
    Tried(Arc<UrlKey>),
    /// Refused; the key is known unless the reason is [`Refusal::NotFound`].
    Refused(Refusal, Option<Arc<UrlKey>>),
}

/// Judges the head of a request: first whether the path is ours, so that nobody without a key learns
/// anything, then the method, then the query's length and the announced length of the body.
#[must_use]
pub fn judge(
    sources: &Sources,
    method: &Method,
    target: &Target<'_>,
    announced_body: Option<u64>,
    limits: &Sizes,
) -> Verdict {
    let key = url_key(target.path);
    let key = key.and_then(|key| sources.get(&KeyHash::of_bytes(key)));
    let Some(key) = key.cloned() else {
        return Verdict::Refused(Refusal::NotFound, None);
    };
    if method == Method::HEAD {
        return Verdict::Tried(key);
    }
    if method != Method::GET && method != Method::POST {
        return Verdict::Refused(Refusal::WrongMethod, Some(key));
    }
    if target.cut || target.query.len() > limits.query_bytes {
        return Verdict::Refused(Refusal::QueryTooLarge, Some(key));
    }
    let body_bytes = u64::try_from(limits.body_bytes).unwrap_or(u64::MAX);
    if announced_body.is_some_and(|announced| announced > body_bytes) {
        return Verdict::Refused(Refusal::BodyTooLarge, Some(key));
    }
    Verdict::Postback(key)
}

/// What stands in the place of the key in a path; not looked up.
#[must_use]
pub fn url_key(path: &[u8]) -> Option<&[u8]> {
    path.strip_prefix(PREFIX)
}

/// Longest query and body in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// `ingest.max_query_bytes`
    pub query_bytes: usize,
    /// `ingest.max_body_bytes`
    pub body_bytes: usize,
}
