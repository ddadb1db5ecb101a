//! A request, rendered once.

use std::net::SocketAddr;

/// Stands in a target for the request's number.
const PLACE: &str = "{number}";

/// Digits of a number; larger ones lose their leading digits.
const DIGITS: usize = 10;

/// A `GET` whose bytes are ready but for its number.
#[derive(Debug, Clone)]
pub struct Request {
    bytes: Vec<u8>,
    /// Where the number stands.
    number: Option<usize>,
}

impl Request {
    /// A request for this target. The first `{number}` in it becomes the number of the attempt, ten
    /// digits long, so that every request can be told from the others.
    #[must_use]
    pub fn get(host: SocketAddr, target: &str) -> Self {
        let before = "GET ";
        let number = target.find(PLACE).map(|at| at + before.len());
        let target = target.replacen(PLACE, &"0".repeat(DIGITS), 1);
        let text = format!(
            "{before}{target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: postback-load\r\n\r\n"
        );
        Self {
            bytes: text.into_bytes(),
            number,
        }
    }

    /// The bytes of the request with this number.
    pub(crate) fn numbered(&mut self, mut number: usize) -> &[u8] {
        if let Some(at) = self.number {
            for digit in self.bytes[at..at + DIGITS].iter_mut().rev() {
                // A remainder of ten is a digit.
                *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
                number /= 10;
            }
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_its_number() {
        let host = SocketAddr::from(([127, 0, 0, 1], 80));
        let mut request = Request::get(host, "/p?u1=a-{number}&b=1");
        let first = "GET /p?u1=a-0000000042&b=1 HTTP/1.1\r\nHost: 127.0.0.1:80\r\nUser-Agent: postback-load\r\n\r\n";
        assert_eq!(request.numbered(42), first.as_bytes());
        let second = first.replace("0000000042", "0000000007");
        assert_eq!(request.numbered(7), second.as_bytes());
    }
}
