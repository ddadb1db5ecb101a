//! What can be seen of a request that was refused.

use hyper::header::{HeaderValue, USER_AGENT};
use hyper::http::request::Parts;
use memchr::{memchr, memmem};

use crate::target::Target;

/// What was seen of a refused request; what could not be read is `None`. No `Debug`: it holds a URL
/// key.
#[derive(Clone, Copy)]
pub struct Glimpse<'a> {
    /// The method.
    pub method: Option<&'a [u8]>,
    /// The target.
    pub target: Option<Target<'a>>,
    /// The header `user-agent`.
    pub user_agent: Option<&'a [u8]>,
    /// The sender's address without port.
    pub remote: &'a str,
}

impl<'a> Glimpse<'a> {
    /// Of a sender of whom nothing could be read.
    #[must_use]
    pub const fn of_sender(remote: &'a str) -> Self {
        Self {
            method: None,
            target: None,
            user_agent: None,
            remote,
        }
    }

    /// Of a request whose head was read.
    #[must_use]
    pub fn of_request(head: &'a Parts, target: Target<'a>, remote: &'a str) -> Self {
        let user_agent = head.headers.get(USER_AGENT);
        Self {
            method: Some(head.method.as_str().as_bytes()),
            target: Some(target),
            user_agent: user_agent.map(HeaderValue::as_bytes),
            remote,
        }
    }

    /// Of a request that hyper could not read: `unread` is what it has of it, and `kept` the target
    /// where it was not shown that, or has dropped it.
    ///
    /// Of a head with a bad `Content-Length` or `Transfer-Encoding` hyper has nothing any more: the
    /// method is gone, and the target too where it was not kept, that of a `GET` or `HEAD`.
    #[must_use]
    pub fn of_unread(unread: &'a [u8], kept: Option<Target<'a>>, remote: &'a str) -> Self {
        let line = request_line(unread);
        Self {
            method: line.map(|(method, _)| method),
            target: kept.or(line.and_then(|(_, target)| target)),
            user_agent: None,
            remote,
        }
    }
}

/// Method and target, as far as they came. `None` for bytes that are no beginning of a request.
fn request_line(bytes: &[u8]) -> Option<(&[u8], Option<Target<'_>>)> {
    let blank = |b: &u8| !matches!(b, b'\r' | b'\n');
    let bytes = &bytes[bytes.iter().position(blank)?..];
    let method = &bytes[..memchr(b' ', bytes)?];
    if method.is_empty() || !method.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let rest = &bytes[method.len() + 1..];
    let line_end = memchr(b'\n', rest);
    let line = &rest[..line_end.unwrap_or(rest.len())];
    let version = memmem::rfind(line, b" HTTP/");
    let target = &line[..version.unwrap_or(line.len())];
    let is_cut = line_end.is_none() && version.is_none();
    let target = (!target.is_empty()).then(|| Target::of_bytes(target, is_cut));
    Some((method, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_and_target_are_read_as_far_as_they_came() {
        type Seen = Option<(&'static str, Option<(&'static str, &'static str, bool)>)>;
        let cases: [(&str, Seen); 10] = [
            (
                "GET /a?b HTTP/9.9\r\nX: y\r\n",
                Some(("GET", Some(("/a", "b", false)))),
            ),
            ("\r\n\nGET /a?b", Some(("GET", Some(("/a", "b", true))))),
            ("GET /a?b HTTP/1.", Some(("GET", Some(("/a", "b", false))))),
            ("PUT http://h/a\n", Some(("PUT", Some(("/a\r", "", false))))),
            ("GET ", Some(("GET", None))),
            ("GET", None),
            ("hello\r\n\r\n", None),
            ("get /a HTTP/1.1\r\n", None),
            ("\u{16}\u{3}\u{1} x", None),
            ("", None),
        ];
        for (bytes, expected) in cases {
            let bytes = bytes.replace("PUT http://h/a\n", "PUT http://h/a\r\n");
            let text = |bytes| str::from_utf8(bytes).unwrap();
            let seen = request_line(bytes.as_bytes()).map(|(method, target)| {
                let target =
                    target.map(|target| (text(target.path), text(target.query), target.cut));
                (text(method), target)
            });
            assert_eq!(seen, expected, "{bytes:?}");
        }
    }
}
