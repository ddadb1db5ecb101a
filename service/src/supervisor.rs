//! What a supervisor such as systemd hands over at the start, and is told.
//!
//! A supervisor that holds the listening socket makes a restart lossless: while the process is gone,
//! connections wait in the socket's queue, and the successor answers them. The protocol is that of
//! `sd_listen_fds(3)`: `LISTEN_PID` is our process, the descriptors begin at 3, and `LISTEN_FDNAMES`
//! says what they are for. The other way round, `sd_notify(3)`: one datagram to `NOTIFY_SOCKET`.

use std::env;
use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use sd_notify::NotifyState;
use tracing::warn;

/// Listening sockets that a supervisor has handed over.
#[derive(Debug, Default)]
pub struct Sockets(Vec<(&'static str, TcpListener)>);

/// Sockets were handed over that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// More of them than there are uses.
    #[error(
        "LISTEN_FDS: {count} sockets are handed over, but only {} can be used\n    remedy: hand over no others",
        listed(expected)
    )]
    TooMany {
        /// How many.
        count: usize,
        /// What they may be for.
        expected: Vec<&'static str>,
    },
    /// A name that stands for nothing, or twice.
    #[error(
        "LISTEN_FDNAMES = \"{names}\": these must be different ones of {}\n    remedy: set FileDescriptorName= in the socket unit, one unit a name",
        listed(expected)
    )]
    Names {
        /// As they came.
        names: String,
        /// What they may be.
        expected: Vec<&'static str>,
    },
    /// Not a socket that listens for TCP connections.
    #[error(
        "LISTEN_FDS: descriptor {descriptor}, which is to be the socket {name}: {problem}\n    remedy: hand over a TCP socket that listens (ListenStream= with an address and port, Accept=no)"
    )]
    Kind {
        /// Its number.
        descriptor: usize,
        /// What it should have been for.
        name: &'static str,
        /// What it is instead.
        problem: String,
    },
}

fn listed(names: &[&str]) -> String {
    names.join(", ")
}

/// The first descriptor that a supervisor hands over (`SD_LISTEN_FDS_START`).
const FIRST: usize = 3;

impl Sockets {
    /// Takes what was handed over to this process, if anything was. `expected` are the names that
    /// sockets may have; without names they are in this order. They are closed when a child is
    /// started, and the variables are removed, so that no child takes them for its own. Call it once,
    /// before there are threads.
    ///
    /// # Errors
    /// [`HandoverError`] when something was handed over that cannot be used.
    pub fn handed_over(expected: &[&'static str]) -> Result<Self, HandoverError> {
        let ours = |pid: String| pid.parse() == Ok(std::process::id());
        if !env::var("LISTEN_PID").is_ok_and(ours) {
            return Ok(Self::default());
        }
        let names = env::var("LISTEN_FDNAMES").ok();
        let mut descriptors = ListenFd::from_env();
        let uses = uses(expected, names.as_deref(), descriptors.len())?;
        let mut sockets = Vec::new();
        for (index, name) in uses.into_iter().enumerate() {
            let unfit = |problem: String| HandoverError::Kind {
                descriptor: FIRST + index,
                name,
                problem,
            };
            let taken = descriptors.take_tcp_listener(index);
            let socket = taken.map_err(|error| unfit(error.to_string()))?;
            let socket = socket.ok_or_else(|| unfit("it is not there".to_owned()))?;
            match socket_acceptconn(&socket) {
                Ok(true) => sockets.push((name, socket)),
                Ok(false) => return Err(unfit("it does not listen".to_owned())),
                Err(error) => return Err(unfit(error.to_string())),
            }
        }
        Ok(Self(sockets))
    }

    /// The socket of this name.
    pub fn take(&mut self, name: &str) -> Option<TcpListener> {
        let at = self.0.iter().position(|(found, _)| *found == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

/// What each of `count` sockets is for.
fn uses(
    expected: &[&'static str],
    names: Option<&str>,
    count: usize,
) -> Result<Vec<&'static str>, HandoverError> {
    if count > expected.len() {
        let expected = expected.to_vec();
        return Err(HandoverError::TooMany { count, expected });
    }
    let text = names.unwrap_or_default();
    let names: Vec<&str> = text.split(':').take(count).collect();
    let known = |name: &&str| expected.iter().copied().find(|known| known == name);
    let found: Vec<&'static str> = names.iter().filter_map(known).collect();
    // Without FileDescriptorName= systemd gives the unit's name, other supervisors none.
    if found.is_empty() {
        return Ok(expected.iter().copied().take(count).collect());
    }
    let repeated = (1..found.len()).any(|at| found[..at].contains(&found[at]));
    if repeated || found.len() < count {
        let (names, expected) = (text.to_owned(), expected.to_vec());
        return Err(HandoverError::Names { names, expected });
    }
    Ok(found)
}

/// Tells the supervisor, if there is one, that the process does its work.
pub fn tell_ready() {
    tell(&[NotifyState::Ready]);
}

/// Tells the supervisor, if there is one, that the process has begun to end.
pub(crate) fn tell_stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    let told: io::Result<()> = sd_notify::notify(state);
    if let Err(error) = told {
        warn!(%error, "the supervisor cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: [&str; 2] = ["ingest", "admin"];

    #[test]
    fn names_decide_and_without_them_the_order() {
        let uses = |names, count| uses(&EXPECTED, names, count).unwrap();
        assert_eq!(uses(None, 2), EXPECTED);
        assert_eq!(uses(None, 1), ["ingest"]);
        assert_eq!(uses(None, 0), [""; 0]);
        assert_eq!(uses(Some("postback-ingest.socket"), 1), ["ingest"]);
        assert_eq!(uses(Some("unknown:unknown"), 2), EXPECTED);
        assert_eq!(uses(Some("admin"), 1), ["admin"]);
        assert_eq!(uses(Some("admin:ingest"), 2), ["admin", "ingest"]);
    }

    #[test]
    fn what_would_be_guessed_is_refused() {
        let refused = |names, count| uses(&EXPECTED, names, count).unwrap_err().to_string();
        let many = refused(None, 3);
        assert!(many.starts_with("LISTEN_FDS: 3 sockets"), "{many}");
        for names in ["ingest:ingest", "ingest:https", "https:admin", "admin:"] {
            let words = refused(Some(names), 2);
            assert!(words.contains("different ones of ingest, admin"), "{words}");
        }
    }
}
