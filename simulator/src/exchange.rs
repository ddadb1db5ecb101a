//! One HTTP/1.1 request and its answer on a stream.
//!
//! Written by hand because a careless network sends request targets that HTTP libraries refuse to
//! send: with a raw `#`, spaces, bytes that are no ASCII.

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A head that is longer is no answer to a postback.
const LONGEST_HEAD: usize = 32 * 1024;

/// Answers are a word or two; what is longer is broken off.
const LONGEST_BODY: usize = 64 * 1024;

/// Most header fields of an answer.
const MOST_FIELDS: usize = 64;

/// The header in which the receiver gives its id of a postback.
const POSTBACK_ID: &str = "x-postback-id";

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The header `x-postback-id`.
    pub postback_id: Option<String>,
    /// What it says.
    pub body: Vec<u8>,
    /// Whether the stream can carry another request.
    pub reusable: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The stream broke.
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    /// The receiver closed the stream before the whole answer was there.
    #[error("the receiver closed the connection before it had answered")]
    Closed,
    /// What came is no answer of HTTP/1.1.
    #[error("what came is no answer of HTTP/1.1: {0}")]
    Foreign(String),
}

/// What the head of an answer says.
struct Head {
    status: u16,
    postback_id: Option<String>,
    keep_alive: bool,
    length: Length,
    /// Bytes of the head.
    bytes: usize,
}

/// How the end of a body is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Bytes(usize),
    /// In chunks, or up to the end of the stream: the status is known, the rest is not waited for.
    Open,
}

/// What an answer begins with.
enum Begun {
    Final(u16),
    /// Another answer follows after so many bytes.
    Interim(usize),
}

/// A request, to be sent as it is, whatever it holds.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// Header `host`.
    pub host: &'a str,
    /// Path and query.
    pub target: &'a [u8],
    /// Header `authorization`: a secret.
    pub authorization: Option<&'a str>,
    /// Type and bytes of the body.
    pub body: Option<(&'a str, &'a [u8])>,
}

impl Request<'_> {
    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.target.len() + self.host.len() + 80);
        let mut field = |name: &str, value: &str| {
            for part in ["\r\n", name, ": ", value] {
                bytes.extend_from_slice(part.as_bytes());
            }
        };
        field("host", self.host);
        field("user-agent", "postback-simulator");
        if let Some(authorization) = self.authorization {
            field("authorization", authorization);
        }
        let body = self.body.map_or(&[][..], |(content_type, body)| {
            field("content-type", content_type);
            field("content-length", &body.len().to_string());
            body
        });
        let line = [
            self.method.as_bytes(),
            b" ",
            self.target,
            b" HTTP/1.1",
            &bytes,
            b"\r\n\r\n",
            body,
        ];
        line.concat()
    }
}

/// Sends a request and reads its answer. `received` is the stream's buffer: empty before the first
/// exchange, and only to be used with this stream.
///
/// # Errors
/// [`ExchangeError`]; the stream cannot be used again.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &[u8],
    received: &mut BytesMut,
) -> Result<Answer, ExchangeError> {
    received.clear();
    send(stream, request).await?;
    let head = loop {
        more(stream, received).await?;
        if let Some(head) = head(received)? {
            break head;
        }
        if received.len() > LONGEST_HEAD {
            return Err(ExchangeError::Foreign("its head has no end".to_owned()));
        }
    };
    let whole = match head.length {
        Length::Bytes(length) => head.bytes + length,
        Length::Open => received.len(),
    };
    while received.len() < whole {
        more(stream, received).await?;
    }
    let surplus = received.len() > whole;
    Ok(Answer {
        status: head.status,
        postback_id: head.postback_id,
        body: received[head.bytes..whole].to_vec(),
        reusable: head.keep_alive && head.length != Length::Open && !surplus,
    })
}

/// Sends a request and reads no more of its answer than what became of it: its status, not an interim
/// one. Whatever the receiver sends after that, or does not, changes nothing.
///
/// # Errors
/// [`ExchangeError`] where no status came.
pub async fn status<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &[u8],
) -> Result<u16, ExchangeError> {
    send(stream, request).await?;
    let mut received = BytesMut::new();
    loop {
        more(stream, &mut received).await?;
        while let Some(begun) = begun(&received)? {
            match begun {
                Begun::Final(status) => return Ok(status),
                Begun::Interim(bytes) => received.advance(bytes),
            }
        }
        if received.len() > LONGEST_HEAD {
            return Err(ExchangeError::Foreign("its head has no end".to_owned()));
        }
    }
}

/// The final answer follows. Not 101, which ends HTTP on the stream.
const fn is_interim(status: u16) -> bool {
    matches!(status, 100 | 102..=199)
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, request: &[u8]) -> Result<(), ExchangeError> {
    stream.write_all(request).await?;
    stream.flush().await?;
    Ok(())
}

async fn more<S: AsyncRead + Unpin>(
    stream: &mut S,
    received: &mut BytesMut,
) -> Result<(), ExchangeError> {
    received.reserve(1024);
    match stream.read_buf(received).await? {
        0 => Err(ExchangeError::Closed),
        _ => Ok(()),
    }
}

/// The status once its line is whole, and an interim answer once it is. How well the fields of a final
/// answer are written does not matter.
fn begun(received: &[u8]) -> Result<Option<Begun>, ExchangeError> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(received);
    // The reason stands last in the line.
    let status = response.reason.and(response.code);
    if let Some(status) = status.filter(|status| !is_interim(*status)) {
        return Ok(Some(Begun::Final(status)));
    }
    match parsed {
        Ok(httparse::Status::Complete(bytes)) => Ok(Some(Begun::Interim(bytes))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(ExchangeError::Foreign(error.to_string())),
    }
}

/// The head, once it is whole.
fn head(received: &[u8]) -> Result<Option<Head>, ExchangeError> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response
        .parse(received)
        .map_err(|error| ExchangeError::Foreign(error.to_string()))?;
    let httparse::Status::Complete(bytes) = parsed else {
        return Ok(None);
    };
    let field = |name: &str| {
        let mut found = response
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name));
        found
            .next()
            .and_then(|field| std::str::from_utf8(field.value).ok())
    };
    let status = response.code.unwrap_or_default();
    let says = |text: &str| {
        field("connection").is_some_and(|value| value.trim().eq_ignore_ascii_case(text))
    };
    let keep_alive = match response.version {
        Some(1) => !says("close"),
        _ => says("keep-alive"),
    };
    Ok(Some(Head {
        status,
        postback_id: field(POSTBACK_ID).map(str::to_owned),
        keep_alive,
        length: length(status, field("content-length"))?,
        bytes,
    }))
}

fn length(status: u16, announced: Option<&str>) -> Result<Length, ExchangeError> {
    if status == 204 || status == 304 {
        return Ok(Length::Bytes(0));
    }
    let Some(announced) = announced else {
        return Ok(Length::Open);
    };
    match announced.trim().parse() {
        Ok(length) if length <= LONGEST_BODY => Ok(Length::Bytes(length)),
        _ => Err(ExchangeError::Foreign(format!(
            "a body of {announced} bytes"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(text: &'static [u8]) -> Result<Answer, ExchangeError> {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let reader = tokio::spawn(async move {
            let mut asked = vec![0; 40];
            theirs.read_exact(&mut asked).await.unwrap();
            for piece in text.chunks(7) {
                theirs.write_all(piece).await.unwrap();
            }
            asked
        });
        let answer = exchange(
            &mut ours,
            b"GET /k?a=Shirt #4\xe9 HTTP/1.1\r\nhost: h\r\n\r\n",
            &mut BytesMut::new(),
        )
        .await;
        assert_eq!(&reader.await.unwrap()[..20], b"GET /k?a=Shirt #4\xe9 H");
        answer
    }

    #[tokio::test]
    async fn reads_an_answer_in_pieces() {
        let text = b"HTTP/1.1 200 OK\r\nX-Postback-Id: abc\r\ncontent-length: 2\r\n\r\nOK";
        let expected = Answer {
            status: 200,
            postback_id: Some("abc".to_owned()),
            body: b"OK".to_vec(),
            reusable: true,
        };
        assert_eq!(answer(text).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn knows_when_a_stream_cannot_be_used_again() {
        let cases: [(&[u8], bool); 6] = [
            (b"HTTP/1.1 204 No Content\r\n\r\n", true),
            (
                b"HTTP/1.1 204 No Content\r\nConnection: Close\r\n\r\n",
                false,
            ),
            (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false),
            (
                b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
                true,
            ),
            (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                false,
            ),
            (b"HTTP/1.1 200 OK\r\n\r\nhello", false),
        ];
        for (text, reusable) in cases {
            let found = answer(text).await.unwrap().reusable;
            assert_eq!(found, reusable, "{}", String::from_utf8_lossy(text));
        }
    }

    /// The status of an answer that comes in pieces, after which the stream is closed.
    async fn status_of(text: &'static [u8]) -> Result<u16, ExchangeError> {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let receiver = tokio::spawn(async move {
            let mut asked = [0; 9];
            theirs.read_exact(&mut asked).await.unwrap();
            for piece in text.chunks(7) {
                // Nobody reads on where the status is known.
                if theirs.write_all(piece).await.is_err() {
                    break;
                }
            }
            asked
        });
        let status = status(&mut ours, b"GET / ...").await;
        drop(ours);
        assert_eq!(&receiver.await.unwrap(), b"GET / ...");
        status
    }

    #[tokio::test]
    async fn a_status_counts_whatever_follows_it() {
        let answers: [&[u8]; 7] = [
            b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nOK",
            b"HTTP/1.1 202 Accepted\r\ncontent-length: 99999999\r\n\r\nOK",
            b"HTTP/1.1 202 Accepted\r\ncontent-length: 9\r\n\r\nOK",
            b"HTTP/1.1 202\r\ncontent-le",
            b"HTTP/1.1 202 Accepted\r\nno field\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n",
        ];
        for text in answers {
            let found = status_of(text).await.unwrap();
            assert_eq!(found, 202, "{}", String::from_utf8_lossy(text));
        }
        let switched = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n";
        assert_eq!(status_of(switched).await.unwrap(), 101);
    }

    #[tokio::test]
    async fn without_a_final_status_there_is_none() {
        for (text, word) in [
            (&b""[..], "closed"),
            (b"HTTP/1.1 202 Acc", "closed"),
            (b"HTTP/1.1 100 Continue\r\n\r\n", "closed"),
            (b"HTTP/1.1 100 Continue\r\nno field\r\n\r\n", "no answer"),
            (b"SSH-2.0-OpenSSH\r\n\r\n", "no answer of HTTP/1.1"),
        ] {
            let error = status_of(text).await.unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        for (text, word) in [
            (&b""[..], "closed"),
            (b"HTTP/1.1 200 OK\r\ncontent-le", "closed"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nOK", "closed"),
            (b"SSH-2.0-OpenSSH\r\n\r\n", "no answer of HTTP/1.1"),
            (
                b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
                "99999999 bytes",
            ),
        ] {
            let error = answer(text).await.unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
