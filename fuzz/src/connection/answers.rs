//! Reads what the sender gets as strictly as a sender may.

use uuid::Uuid;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    /// The record that it names.
    pub id: Option<Uuid>,
    /// It has no body, although one was announced or its length is not said: an answer to `HEAD`.
    pub bodiless: bool,
    /// It is the connection's last.
    closes: bool,
}

/// All answers in `bytes`, interim ones left out.
///
/// # Panics
/// At anything that is no answer.
pub(super) fn read(bytes: &[u8]) -> Vec<Answer> {
    let mut rest = bytes;
    let mut answers: Vec<Answer> = Vec::new();
    while !rest.is_empty() {
        let end = memchr::memmem::find(rest, b"\r\n\r\n");
        let (head, behind) = end.map_or_else(
            || panic!("no whole head: {}", rest.escape_ascii()),
            |end| (&rest[..end], &rest[end + 4..]),
        );
        let Ok(head) = str::from_utf8(head) else {
            panic!("a head that is not text: {}", head.escape_ascii());
        };
        let closed = answers.last().is_some_and(|answer| answer.closes);
        assert!(!closed, "an answer behind the last: {head:?}");
        let (mut answer, length) = read_head(head);
        if answer.status == 100 {
            rest = behind;
            continue;
        }
        // Bodies that begin like a head do not exist.
        let none = behind.is_empty() || behind.starts_with(b"HTTP/1.");
        answer.bodiless = none && length != Some(0);
        let length = length.filter(|_| !none).unwrap_or(0);
        let after = behind.get(length..);
        rest = after.unwrap_or_else(|| panic!("a body is cut: {}", behind.escape_ascii()));
        answers.push(answer);
    }
    answers
}

/// An answer and the length of its body.
fn read_head(head: &str) -> (Answer, Option<usize>) {
    let mut lines = head.split("\r\n");
    let mut answer = Answer {
        status: status(lines.next().unwrap_or_default()),
        id: None,
        bodiless: false,
        closes: false,
    };
    let mut length = None;
    for line in lines {
        let Some((name, value)) = line.split_once(": ") else {
            panic!("no header: {line:?}");
        };
        let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_name = !name.is_empty() && name.bytes().all(token);
        let is_value = value.bytes().all(|b| matches!(b, b' '..=b'~'));
        assert!(is_name && is_value, "no header: {line:?}");
        match name {
            "content-length" => {
                assert!(length.is_none(), "two lengths: {head:?}");
                let number = value.parse();
                length = Some(number.unwrap_or_else(|_| panic!("no length: {value:?}")));
            }
            "transfer-encoding" => panic!("answers are never chunked: {head:?}"),
            "x-postback-id" => {
                assert!(answer.id.is_none(), "two ids: {head:?}");
                let id = value.parse();
                answer.id = Some(id.unwrap_or_else(|_| panic!("no id: {value:?}")));
            }
            "connection" => answer.closes = value == "close",
            _ => {}
        }
    }
    (answer, length)
}

fn status(line: &str) -> u16 {
    let rest = line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| line.strip_prefix("HTTP/1.0 "));
    let code = rest.and_then(|rest| rest.get(..3)?.parse().ok());
    let Some(status) = code.filter(|code| (100..600).contains(code)) else {
        panic!("no status line: {line:?}");
    };
    status
}
