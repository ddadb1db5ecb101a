//! Who may come in: the URL key, then the caller, then the method, then the sizes. Pure.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Method};
use postback_common::basic_auth::BasicAuth;
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

/// What there is to judge.
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target as it came.
    pub target: &'a Target<'a>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The length of the body, if the head says it.
    pub announced_body: Option<u64>,
    /// Who sends it.
    pub caller: IpAddr,
}

/// Judges the head of a request: first whether the path is ours, so that nobody without a key learns
/// anything, then who sends it, then the method, then the query's length and the announced length of
/// the body. Of a target that was cut only the path is judged.
#[must_use]
pub fn judge(sources: &Sources, head: &Head<'_>, limits: &Sizes) -> Verdict {
    let Some(key) = owner(sources, head.target) else {
        return Verdict::Refused(Refusal::NotFound, None);
    };
    match refusal(&key, head, limits) {
        Some(refusal) => Verdict::Refused(refusal, Some(key)),
        None if head.method == Method::HEAD => Verdict::Tried(key),
        None => Verdict::Postback(key),
    }
}

/// The key that opens a way in by this target, whoever sends it.
#[must_use]
pub fn owner(sources: &Sources, target: &Target<'_>) -> Option<Arc<UrlKey>> {
    let key = url_key(target.path)?;
    sources.get(&KeyHash::of_bytes(key)).cloned()
}

fn refusal(key: &UrlKey, head: &Head<'_>, limits: &Sizes) -> Option<Refusal> {
    // Its headers were not read: nothing is known of credentials, nor of whom a proxy names.
    if head.target.cut {
        return Some(Refusal::QueryTooLarge);
    }
    if (key.allow_from.as_ref()).is_some_and(|allowed| !allowed.contain(head.caller)) {
        return Some(Refusal::Forbidden);
    }
    if (key.basic_auth.as_ref()).is_some_and(|auth| !is_authorized(auth, head.headers)) {
        return Some(Refusal::Unauthorized);
    }
    if head.method == Method::HEAD {
        return None;
    }
    if head.method != Method::GET && head.method != Method::POST {
        return Some(Refusal::WrongMethod);
    }
    if head.target.query.len() > limits.query_bytes {
        return Some(Refusal::QueryTooLarge);
    }
    let body_bytes = u64::try_from(limits.body_bytes).unwrap_or(u64::MAX);
    let is_large = |announced| announced > body_bytes;
    (head.announced_body.is_some_and(is_large)).then_some(Refusal::BodyTooLarge)
}

/// Two of them are no credentials: whoever added the second may not have seen the first.
fn is_authorized(auth: &BasicAuth, headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let only = values.next().filter(|_| values.next().is_none());
    only.is_some_and(|value| auth.admits(value.as_bytes()))
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
