//! A server that does what a test says: one thread a connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Serves until the process ends: `answer` gets a request's number (what stands behind `n=` in its
/// target) and returns the bytes of the answer; `None` closes the connection.
pub(crate) fn start(
    answer: impl Fn(usize) -> Option<String> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || serve(stream.unwrap(), &*answer));
        }
    });
    address
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(usize) -> Option<String>) {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    // Ends with the connection.
    while stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
        if head.ends_with(b"\r\n\r\n") {
            let Some(answer) = answer(number(&head)) else {
                return;
            };
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
            head.clear();
        }
    }
}

fn number(head: &[u8]) -> usize {
    let text = std::str::from_utf8(head).unwrap();
    let (_, rest) = text.split_once("n=").unwrap();
    rest.split_once(' ').unwrap().0.parse().unwrap()
}

/// `200` with the request's number as its id.
pub(crate) fn stored(number: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nx-postback-id: {}\r\ncontent-length: 2\r\n\r\nOK",
        uuid::Uuid::from_u128(number as u128)
    )
}
