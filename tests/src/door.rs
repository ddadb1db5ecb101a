//! A door in front of a broker that can hide all brokers from who comes through it.
//!
//! Where the only broker of a cluster was frozen for longer than its session lasts, the controller
//! fences it, and until it is registered anew its Metadata answers have topics and no brokers. Whether
//! a client asks in that moment is luck; here it is not.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

/// The key of Metadata among Kafka's requests.
const METADATA: i16 = 3;

/// From this version on a Metadata answer has compact arrays and tags (KIP-482).
const COMPACT: i16 = 9;

/// The door; it stays open until the process ends.
#[derive(Debug, Clone)]
pub struct Door(Arc<State>);

#[derive(Debug)]
struct State {
    port: u16,
    is_hiding: AtomicBool,
    hidden: AtomicU64,
}

/// The versions of the Metadata requests that are not answered yet, by their correlation.
type Asked = Mutex<HashMap<[u8; 4], i16>>;

impl Door {
    /// Opens it on 127.0.0.1, before the broker at this port. The broker must advertise the door's
    /// address and not its own.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn before(broker: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            port,
            is_hiding: AtomicBool::new(false),
            hidden: AtomicU64::new(0),
        });
        let door = Self(Arc::clone(&state));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // A broker that is away: the client finds its connection closed.
                thread::spawn(move || drop(state.lead(&client, broker)));
            }
        });
        door
    }

    /// What clients connect to: `127.0.0.1:PORT`.
    #[must_use]
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.0.port)
    }

    /// Whether the answers to Metadata requests have no brokers from now on.
    pub fn hide(&self, hides: bool) {
        self.0.is_hiding.store(hides, SeqCst);
    }

    /// How many answers had none.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        self.0.hidden.load(SeqCst)
    }
}

impl State {
    fn lead(self: Arc<Self>, client: &TcpStream, broker: u16) -> io::Result<()> {
        let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, broker))?;
        let asked = Arc::new(Asked::default());
        let (from, to) = (broker.try_clone()?, client.try_clone()?);
        let (state, answered) = (Arc::clone(&self), Arc::clone(&asked));
        thread::spawn(move || {
            let ended = each_frame(&from, &to, |answer| state.change(answer, &answered));
            drop(to.shutdown(Shutdown::Both));
            ended
        });
        let ended = each_frame(client, &broker, |request| {
            let (key, version, correlation) = head(&request);
            if key == METADATA {
                asked.lock().unwrap().insert(correlation, version);
            }
            request
        });
        broker.shutdown(Shutdown::Both)?;
        ended
    }

    fn change(&self, answer: Vec<u8>, asked: &Asked) -> Vec<u8> {
        let correlation: [u8; 4] = answer[..4].try_into().expect("four bytes");
        match asked.lock().unwrap().remove(&correlation) {
            Some(version) if self.is_hiding.load(SeqCst) => {
                assert!(
                    version >= COMPACT,
                    "a Metadata request of version {version}"
                );
                self.hidden.fetch_add(1, SeqCst);
                without_brokers(&answer)
            }
            _ => answer,
        }
    }
}

/// Hands one side's frames to the other.
fn each_frame(
    mut from: &TcpStream,
    mut to: &TcpStream,
    change: impl Fn(Vec<u8>) -> Vec<u8>,
) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        from.read_exact(&mut frame)?;
        let frame = change(frame);
        let length = u32::try_from(frame.len()).expect("a frame fits its length");
        to.write_all(&[&length.to_be_bytes()[..], &frame].concat())?;
    }
}

/// A request's key, its version and its correlation.
fn head(request: &[u8]) -> (i16, i16, [u8; 4]) {
    let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
    (
        number(0),
        number(2),
        request[4..8].try_into().expect("four bytes"),
    )
}

/// The answer to a Metadata request with an empty array of brokers.
fn without_brokers(answer: &[u8]) -> Vec<u8> {
    // The correlation, no tags of the header, the throttling.
    let before = 4 + 1 + 4;
    let mut rest = &answer[before..];
    for _ in 1..number(&mut rest) {
        skip(&mut rest, 4);
        text(&mut rest);
        skip(&mut rest, 4);
        text(&mut rest);
        assert_eq!(number(&mut rest), 0, "a broker has no tags");
    }
    [&answer[..before], &[1], rest].concat()
}

fn skip(rest: &mut &[u8], bytes: usize) {
    *rest = &rest[bytes..];
}

/// Skips a compact text, which may be null.
fn text(rest: &mut &[u8]) {
    let length = number(rest);
    skip(rest, length.saturating_sub(1));
}

/// Takes an unsigned varint.
fn number(rest: &mut &[u8]) -> usize {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = rest[0];
        skip(rest, 1);
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_loses_its_brokers_and_nothing_else() {
        let head = [0, 0, 0, 7, 0, 0, 0, 0, 0];
        let first = [&[0, 0, 0, 1, 5][..], b"here", &[0, 0, 35, 132, 0, 0]].concat();
        let second = [&[0, 0, 0, 2, 2][..], b"b", &[0, 0, 35, 133, 2, b'r', 0]].concat();
        let rest = b"everything else";
        let answer = [&head[..], &[3], &first, &second, rest].concat();
        assert_eq!(without_brokers(&answer), [&head[..], &[1], rest].concat());
    }
}
