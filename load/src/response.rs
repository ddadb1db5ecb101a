//! Reads of an answer what a ledger needs.

use memchr::memmem;
use uuid::Uuid;

/// A head longer than this is none.
const HEAD_BYTES: usize = 16 * 1024;

/// A whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `x-postback-id`, where it is a UUID.
    pub(crate) id: Option<Uuid>,
    /// The server closes the connection after it.
    pub(crate) last: bool,
}

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// One answer and nothing behind it.
    Whole(Answer),
    /// Its beginning.
    Part,
    /// Not an answer that this sender reads: it knows no other body than one of a given length.
    Foreign,
}

/// Reads the bytes that came since the request was sent.
pub(crate) fn read(bytes: &[u8]) -> Reading {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > HEAD_BYTES {
            Reading::Foreign
        } else {
            Reading::Part
        };
    };
    let Some((answer, body)) = head(&bytes[..end]) else {
        return Reading::Foreign;
    };
    match bytes.len().checked_sub(end + 4 + body) {
        None => Reading::Part,
        Some(0) => Reading::Whole(answer),
        Some(_) => Reading::Foreign,
    }
}

/// The answer, and the length of its body.
fn head(head: &[u8]) -> Option<(Answer, usize)> {
    let digits = head.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let mut answer = Answer {
        status: number(digits)?.try_into().ok()?,
        id: None,
        last: false,
    };
    let mut body = None;
    let mut rest = &head[12..];
    while let Some(start) = memmem::find(rest, b"\r\n") {
        rest = &rest[start + 2..];
        let line = &rest[..memmem::find(rest, b"\r\n").unwrap_or(rest.len())];
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // Lengths first: most headers are none of these.
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => body = Some(number(value)?),
            13 if name.eq_ignore_ascii_case(b"x-postback-id") => {
                answer.id = Uuid::try_parse_ascii(value).ok();
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                answer.last = value.eq_ignore_ascii_case(b"close");
            }
            _ => {}
        }
    }
    let without_body = answer.status == 204 || answer.status == 304;
    let body = body.or(without_body.then_some(0))?;
    Some((answer, body))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nX-Postback-Id: 01a05a43-fc00-7f54-8d8e-0023af5570ee\r\ncontent-length: 2\r\n\r\nOK";

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        for end in 0..STORED.len() {
            assert_eq!(read(&STORED.as_bytes()[..end]), Reading::Part, "{end}");
        }
        let id = Uuid::from_u128(0x01a0_5a43_fc00_7f54_8d8e_0023_af55_70ee);
        let answer = Answer {
            status: 200,
            id: Some(id),
            last: false,
        };
        assert_eq!(read(STORED.as_bytes()), Reading::Whole(answer));
    }

    #[test]
    fn answers_without_a_body_and_last_answers() {
        let bare = |status| Answer {
            status,
            id: None,
            last: false,
        };
        let read = |text: &str| read(text.as_bytes());
        assert_eq!(
            read("HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n"),
            Reading::Whole(bare(204))
        );
        let last = Answer {
            last: true,
            ..bare(503)
        };
        assert_eq!(
            read("HTTP/1.1 503 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
            Reading::Whole(last)
        );
    }

    #[test]
    fn what_cannot_be_an_answer_is_said_to_be_foreign() {
        let foreign = [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\nmore",
        ];
        for text in foreign {
            assert_eq!(read(text.as_bytes()), Reading::Foreign, "{text}");
        }
        assert_eq!(read(&[b'x'; HEAD_BYTES + 1]), Reading::Foreign);
    }
}
