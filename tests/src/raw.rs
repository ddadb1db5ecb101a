//! Requests byte by byte, as careless senders make them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::wait;

/// An answer, read to the end of the connection.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Everything, as it came.
    pub text: String,
}

impl Answer {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        headers
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The answer without what changes from run to run, for a snapshot.
    #[must_use]
    pub fn shown(&self) -> String {
        let volatile = |line: &&str| {
            let line = line.to_ascii_lowercase();
            !line.starts_with("date: ") && !line.starts_with("x-postback-id: ")
        };
        self.text
            .lines()
            .filter(volatile)
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

/// Sends bytes, closes the sending side, and reads until the other side closes; `None` when it
/// closed without a word.
///
/// # Panics
/// When nobody listens, or the connection is not closed in time.
#[must_use]
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).expect("ingest listens");
    stream
        .set_read_timeout(Some(wait::LIMIT))
        .expect("a time-out can be set");
    // The other side may answer and close before it has read everything.
    drop(stream.write_all(bytes));
    drop(stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert!(
            !answer.is_empty() || error.kind() == std::io::ErrorKind::ConnectionReset,
            "{error}"
        );
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, text })
}

/// A request with `Connection: close`, so that the answer ends with the connection.
#[must_use]
pub fn request(method: &str, target: &[u8], headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(" HTTP/1.1\r\nHost: pb.example\r\nConnection: close\r\n{headers}\r\n");
    [method.as_bytes(), b" ", target, head.as_bytes(), body].concat()
}
