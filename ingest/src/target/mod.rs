//! The request target as it came, whatever hyper thinks of it.
//!
//! # Constraints
//!
//! 1. **Nothing is lost or changed.** hyper judges the target before any handler sees it: at a raw
//!    `#` it cuts the rest off, and raw spaces, `<`, `>`, `"`, control bytes and bytes that are no
//!    UTF-8 get a 400 of its own. Networks put product names, unreplaced macros (`u1=<u1>`) and
//!    Latin-1 into URLs just so. The record's query is every byte behind the first `?`.
//! 2. **This module and hyper never disagree on where a request begins**; two readers that do can
//!    be made to read different requests ("request smuggling"). So nothing is guessed here: hyper
//!    itself says what body a head announces, and when in doubt the connection ends.
//! 3. **An ordinary request costs next to nothing**: its bytes are searched where hyper's buffer
//!    has them, not copied, and nothing is allocated. Ordinary is a `GET` or `HEAD` whose method
//!    comes in one piece. Of a request that may have a body the target is copied, until hyper has
//!    said what body its head announces: if it refuses how (`Content-Length: +5`,
//!    `Transfer-Encoding: gzip`), it has dropped the head by then, and only this module knows whose
//!    request it was. Such a header in a `GET` leaves a trace without source and path.
//! 4. **Memory is bounded** whatever is sent: at most one target of the longest permitted length and
//!    what one read brought are held back for a connection, and given free as soon as they are
//!    passed on; a copied target, as long at most, as soon as hyper has called the service.
//! 5. **Time is bounded**, if asked for: between two requests, and for a head that has begun. Only
//!    this module can tell the two apart. So is what heads under way hold, all connections together.
//!    And a peer that does not read: while hyper cannot write, it does not read either.
//! 6. **Targets carry URL keys**: no type here has `Debug`, nothing here is logged.
//!
//! # How it works
//!
//! [`TargetStream`] stands between the socket and hyper and decides how far hyper may read:
//!
//! ```text
//!  GET ␣ /postback/…?a=#1 ␣ HTTP/1.1 ⏎  Host: … ⏎  ⏎ │ body … │ GET ␣ …
//!  ────┬ ───────┬──────────────────────────────────── ┬ ──────── ┬
//!   passed      │ held until its line is whole,       │ only when the service has said what
//!   at once     │ then passed, or replaced by `/`     │ hyper takes for the body's length
//! ```
//!
//! 1. The *method* passes at once, so that hyper knows of a request that is under way.
//! 2. The *target* is everything from there to the last ` HTTP/1.0` or ` HTTP/1.1` of its line,
//!    spaces included. It is held until the line is whole. Origin form in bytes that hyper takes as
//!    they are passes unchanged; of any other target hyper sees a `/` instead, and the original goes
//!    to the service through the [`Handover`]. A line that has no such shape passes unchanged, and
//!    hyper refuses it. So does a target with a carriage return in it, where readers might differ
//!    on the line's end.
//! 3. The *headers* pass up to the blank line, and not a byte more.
//! 4. hyper now has a whole head and nothing else, so before it reads on it calls the service, which
//!    [claims](Handover::claim) the target and tells the length of the body as hyper understood it:
//!    no header is parsed twice. If hyper asks for more without having called, the two disagree on
//!    the head, and the stream ends. If hyper calls without a head of ours, the service refuses.
//! 5. A *body* of known length passes to its last byte. A chunked body is followed chunk by chunk, as
//!    strictly as hyper does; at the first irregularity the stream ends. The next request begins
//!    behind it, at 1.
//!
//! A target beyond the longest permitted length is not waited for: hyper gets a head that ends the
//! connection, the service the target's beginning, which is enough to answer 414, or 404 without a
//! valid key. What still comes is not read as requests.

mod chunks;
mod framing;
mod handover;
mod held;
mod line;
mod patience;
mod stream;
mod unread;

pub use handover::{Handover, Seen};
pub use stream::{GaveUp, TargetStream};

use hyper::Uri;
use memchr::memchr;

/// Bytes that a target may have beyond the longest query: scheme, host and path. Together they stay
/// below the 65,534 bytes that hyper takes.
const ROOM: usize = 4_000;

/// A target as it came, kept because hyper has not seen it, or may drop it. No `Debug`: it holds a
/// URL key.
pub struct Original {
    bytes: Box<[u8]>,
    /// These bytes are only its beginning.
    cut: bool,
    /// hyper has seen it as it came.
    shown: bool,
}

/// A request target, split. A `#` is a byte like any other: requests have no fragment (RFC 9112,
/// section 3.2).
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Everything before the first `?`, without scheme and host.
    pub path: &'a [u8],
    /// Everything behind the first `?`, undecoded; empty without one.
    pub query: &'a [u8],
    /// It was longer than permitted, and this is only its beginning.
    pub cut: bool,
}

impl<'a> Target<'a> {
    /// Of a target that hyper took as it came.
    #[must_use]
    pub fn of_uri(uri: &'a Uri) -> Self {
        Self {
            path: uri.path().as_bytes(),
            query: uri.query().unwrap_or_default().as_bytes(),
            cut: false,
        }
    }

    /// Of a target that was kept.
    #[must_use]
    pub fn of_original(original: &'a Original) -> Self {
        Self::of_bytes(&original.bytes, original.cut)
    }

    /// Of a target in any form; `cut` if it is only a beginning.
    #[must_use]
    pub fn of_bytes(bytes: &'a [u8], cut: bool) -> Self {
        let (path, query) = split(bytes);
        Self { path, query, cut }
    }
}

fn split(target: &[u8]) -> (&[u8], &[u8]) {
    let target = without_origin(target).unwrap_or(target);
    match memchr(b'?', target) {
        Some(mark) => (&target[..mark], &target[mark + 1..]),
        None => (target, &[]),
    }
}

/// What follows scheme and host in absolute form (RFC 9112, section 3.2.2).
fn without_origin(target: &[u8]) -> Option<&[u8]> {
    let schemes: [&[u8]; 2] = [b"http://", b"https://"];
    let scheme = schemes.iter().find(|scheme| {
        let start = target.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })?;
    let rest = &target[scheme.len()..];
    let ends = |b: &u8| matches!(b, b'/' | b'?' | b'#');
    let end = rest.iter().position(ends).unwrap_or(rest.len());
    Some(&rest[end..])
}
