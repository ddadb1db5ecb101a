//! Whether a broker serves: it knows itself as a member of the right cluster, gives ids to
//! idempotent producers, and has a coordinator for consumer groups.
//!
//! An open port is not enough: the broker opens it before it has joined its own cluster, and the
//! first producer and the first group of a new cluster would wait for seconds. The requests and their
//! answers are written out by hand, because a Kafka client would need OpenSSL and a C++ compiler
//! before it could install them.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(2);

/// A Metadata request, version 2, for no topic at all.
const METADATA: [u8; 23] = [
    0, 0, 0, 19, // length of the rest
    0, 3, // Metadata
    0, 2, // version
    0, 0, 0, 1, // correlation id
    0, 5, b'p', b'r', b'o', b'b', b'e', // client id
    0, 0, 0, 0, // no topics
];

/// An InitProducerId request, version 0, without a transaction.
const PRODUCER_ID: [u8; 25] = [
    0, 0, 0, 21, // length of the rest
    0, 22, // InitProducerId
    0, 0, // version
    0, 0, 0, 2, // correlation id
    0, 5, b'p', b'r', b'o', b'b', b'e', // client id
    0xff, 0xff, // no transactional id
    0, 0, 0, 0, // no transaction, so no time limit of one
];

/// A FindCoordinator request, version 0, for a group that nobody joins.
const COORDINATOR: [u8; 28] = [
    0, 0, 0, 24, // length of the rest
    0, 10, // FindCoordinator
    0, 0, // version
    0, 0, 0, 3, // correlation id
    0, 5, b'p', b'r', b'o', b'b', b'e', // client id
    0, 7, b'n', b'o', b'-', b'o', b'n', b'e', b's', // group
];

/// More than this is no answer to that request.
const LONGEST_ANSWER: usize = 64 * 1024;

/// # Errors
/// Says why the broker on this port does not serve, or that it belongs to another cluster.
pub(super) fn check(port: u16, cluster_id: &str) -> Result<(), String> {
    let answer = exchange(port, &METADATA)?;
    let (brokers, found) = members(&answer).ok_or("an answer that is not Kafka's")?;
    if found != cluster_id {
        return Err(format!(
            "another Kafka answers on port {port}: cluster {found}"
        ));
    }
    if brokers == 0 {
        return Err("the broker has not joined its cluster yet".to_owned());
    }
    let producer = exchange(port, &PRODUCER_ID)?;
    // Correlation id and throttle time stand before the code.
    expect_success("producer ids", &producer, 8)?;
    let coordinator = exchange(port, &COORDINATOR)?;
    // The correlation id stands before the code.
    expect_success("coordinator for groups", &coordinator, 4)
}

/// # Errors
/// Says what the broker does not have yet, by the error code at this place of an answer.
fn expect_success(what: &str, answer: &[u8], place: usize) -> Result<(), String> {
    let code = answer
        .get(place..place + 2)
        .and_then(|code| code.try_into().ok());
    match code.map(i16::from_be_bytes) {
        Some(0) => Ok(()),
        Some(code) => Err(format!("the broker has no {what} yet: error code {code}")),
        None => Err("an answer that is not Kafka's".to_owned()),
    }
}

fn exchange(port: u16, request: &[u8]) -> Result<Vec<u8>, String> {
    send(port, request).map_err(|error| format!("no answer on port {port}: {error}"))
}

fn send(port: u16, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST_ANSWER {
        return Err(std::io::Error::other("an answer that is not Kafka's"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// The number of live brokers and the cluster id of a Metadata answer, version 2: correlation id;
/// brokers, each node id, host, port, rack; cluster id; …
fn members(answer: &[u8]) -> Option<(u32, String)> {
    let mut rest = answer;
    take(&mut rest, 4)?;
    let brokers = u32::from_be_bytes(take(&mut rest, 4)?.try_into().ok()?);
    for _ in 0..brokers {
        take(&mut rest, 4)?;
        text(&mut rest)?;
        take(&mut rest, 4)?;
        text(&mut rest)?;
    }
    Some((brokers, text(&mut rest)?))
}

/// A text with its length in front; -1 stands for none.
fn text(rest: &mut &[u8]) -> Option<String> {
    let length = i16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
    let bytes = take(rest, usize::try_from(length).unwrap_or(0))?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_count_their_own_length() {
        for request in [&METADATA[..], &PRODUCER_ID[..], &COORDINATOR[..]] {
            assert_eq!(usize::from(request[3]), request.len() - 4);
        }
    }

    #[test]
    fn reads_brokers_and_cluster() {
        let mut answer = vec![
            0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, b'h', 0, 0, 0x23, 0x84,
        ];
        answer.extend([0xff, 0xff, 0, 2, b'i', b'd', 0, 0, 0, 1]);
        assert_eq!(members(&answer), Some((1, "id".to_owned())));
        assert_eq!(members(&answer[..answer.len() - 6]), None);
    }

    #[test]
    fn an_error_code_is_named() {
        let answer = [0, 0, 0, 3, 0, 15, 0, 0];
        let error = expect_success("coordinator for groups", &answer, 4).unwrap_err();
        assert_eq!(
            error,
            "the broker has no coordinator for groups yet: error code 15"
        );
        expect_success("coordinator for groups", &[0; 8], 4).unwrap();
        expect_success("coordinator for groups", &[0; 5], 4).unwrap_err();
    }

    #[test]
    fn nothing_listens() {
        let [port] = crate::port::free().unwrap();
        assert!(check(port, "id").unwrap_err().starts_with("no answer"));
    }
}
