//! What the sender gets.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Response, StatusCode};
use postback_common::reason::Refusal;
use uuid::Uuid;

use crate::sources::PreparedReply;

/// An answer: always short, always whole in memory.
pub type Answer = Response<Full<Bytes>>;

/// Carries the id of the raw record.
pub const ID_HEADER: HeaderName = HeaderName::from_static("x-postback-id");

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Status and text of a refusal. Those that hyper itself answers have an empty text here.
#[must_use]
pub const fn refused_with(refusal: Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::NotFound => (StatusCode::NOT_FOUND, "not found"),
        Refusal::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        Refusal::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
        Refusal::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        Refusal::QueryTooLarge => (StatusCode::URI_TOO_LONG, "query too long"),
        Refusal::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body too large"),
        Refusal::BodyIncomplete => (StatusCode::REQUEST_TIMEOUT, "body incomplete"),
        Refusal::NotConfirmed
        | Refusal::NowhereToStore
        | Refusal::Overloaded
        | Refusal::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "try again"),
        Refusal::Unparsable => (StatusCode::BAD_REQUEST, ""),
        Refusal::HeadTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, ""),
        Refusal::HeadIncomplete => (StatusCode::REQUEST_TIMEOUT, ""),
    }
}

/// The answer to a refusal: its status and a short text, the same for everyone.
#[must_use]
pub fn refused(refusal: Refusal) -> Answer {
    let (status, body) = refused_with(refusal);
    let mut answer = text(status, body);
    let headers = answer.headers_mut();
    match refusal {
        Refusal::WrongMethod => {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
        }
        Refusal::Unauthorized => {
            let challenge = HeaderValue::from_static("Basic realm=\"postback\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        Refusal::NotConfirmed
        | Refusal::NowhereToStore
        | Refusal::Overloaded
        | Refusal::ShuttingDown => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // Where the body ends is not known, so the connection cannot carry another request.
        Refusal::BodyIncomplete => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    answer
}

/// The answer to a stored postback. `used` are the headers of its request: their memory becomes the
/// answer's, and hyper keeps that for the next request, so that neither needs any of its own.
#[must_use]
pub fn stored(reply: &PreparedReply, id: Uuid, mut used: HeaderMap) -> Answer {
    let mut answer = Response::new(Full::new(reply.body.clone()));
    *answer.status_mut() = reply.status;
    used.clear();
    let headers = answer.headers_mut();
    *headers = used;
    if let Some(content_type) = &reply.content_type {
        headers.insert(CONTENT_TYPE, content_type.clone());
    }
    let mut buffer = Uuid::encode_buffer();
    // Hexadecimal digits and dashes are always a header value.
    if let Ok(id) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut buffer)) {
        headers.insert(ID_HEADER, id);
    }
    answer
}

/// The answer to a `HEAD`.
#[must_use]
pub fn tried() -> Answer {
    text(StatusCode::OK, "")
}

fn text(status: StatusCode, body: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, TEXT);
    answer
}
