//! Ports on 127.0.0.1.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use crate::{StackError, random};

/// Where free ports are looked for from, so that well-known ports stay free.
const LOWEST: u16 = 10_240;

/// Where the kernel's own choices begin when it does not say.
const EPHEMERAL: u16 = 32_768;

/// How many ports are tried before giving up.
const TRIES: usize = 1_000;

/// Chooses ports that are free at this moment and differ from each other.
///
/// They lie below the range from which the kernel gives ports to outgoing connections. Inside it,
/// a client that tries again and again to reach a server that is down may be given the server's
/// own port, connect to itself, and keep the server from coming back.
///
/// Between this call and the server's own bind another program may take one; who starts a server
/// tries again with others then.
///
/// # Errors
/// When no port is free.
pub fn free<const N: usize>() -> Result<[u16; N], StackError> {
    let range = LOWEST..ephemeral_from();
    let mut held = Vec::with_capacity(N);
    for _ in 0..TRIES {
        if held.len() == N {
            break;
        }
        // Held open until all are chosen, so that they differ.
        held.extend(bind(random_in(&range)?).ok());
    }
    let ports = held
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()));
    let ports: Vec<u16> = ports.collect::<io::Result<_>>().map_err(no_port)?;
    ports
        .try_into()
        .map_err(|_| no_port(io::ErrorKind::AddrInUse.into()))
}

/// Whether a server could listen on 127.0.0.1 at this port now.
#[must_use]
pub fn is_free(port: u16) -> bool {
    bind(port).is_ok()
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

fn no_port(source: io::Error) -> StackError {
    StackError::Io {
        action: "find a free port on",
        path: "127.0.0.1".into(),
        source,
    }
}

fn random_in(range: &Range<u16>) -> Result<u16, StackError> {
    let random = u16::from_le_bytes(random::bytes()?);
    Ok(range.start + random % (range.end - range.start))
}

/// The first port that the kernel itself may give to a connection.
fn ephemeral_from() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .filter(|from| *from > LOWEST + 1_000)
        .unwrap_or(EPHEMERAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_and_can_be_bound() {
        let ports = free::<4>().unwrap();
        let held: Vec<_> = ports.iter().map(|port| bind(*port).unwrap()).collect();
        assert_eq!(held.len(), 4);
        assert!(
            ports
                .iter()
                .all(|port| (LOWEST..ephemeral_from()).contains(port))
        );
    }

    #[test]
    fn a_bound_port_is_not_free() {
        let [port] = free().unwrap();
        let held = bind(port).unwrap();
        assert!(!is_free(port));
        drop(held);
        assert!(is_free(port));
    }
}
