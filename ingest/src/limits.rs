//! Bounds on connections, requests, memory, and on the time that they may take.

use std::time::Duration;

use postback_common::config::IngestSettings;
use tracing::warn;

/// Connections that are told 503 at once, beyond those that are answered.
pub const TURNED_AWAY: usize = 128;

/// Files for listeners, Kafka, epoll and the standard streams, and for who is turned away.
const OTHER_FILES: usize = 128 + TURNED_AWAY;

/// Answers may be given longer than the end can wait for the last ones.
const LONGEST_LAST: Duration = Duration::from_secs(1);

/// Bounds that are the same for all sources.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections open at once; of further ones [`TURNED_AWAY`] get 503, the rest is closed.
    pub connections: usize,
    /// Requests being answered at once; further ones get 503.
    pub in_flight: usize,
    /// Bytes of requests that are held at once while they come: of bodies, and of heads that come in
    /// pieces. A body that has no room gets 503, the connection of such a head is closed.
    pub request_bytes: usize,
    /// How long a connection may wait for its next request: longer than a balancer keeps its side
    /// open (60 s is common), or a request crosses our end on the wire.
    pub idle_within: Duration,
    /// Time for the head of a request, from its first byte; also for a TLS handshake.
    pub head_within: Duration,
    /// Time for the body of a request, from the end of its head.
    pub body_within: Duration,
    /// How long what is answered may find nobody who reads it.
    pub unread_within: Duration,
    /// At shutdown, time in which all goes on before the open connections are to end.
    pub lame_duck: Duration,
    /// At shutdown, time for the connections that are open by then. New ones are still accepted.
    pub answers_within: Duration,
    /// At shutdown, time for Kafka to confirm what is in the producer's queue and for the drain to
    /// empty the spool, both beside the requests.
    pub flush_within: Duration,
    /// After both, how long a moment is waited for in which nobody is connected.
    pub quiet_within: Duration,
    /// Once no connections are accepted any more, time for what is being answered.
    pub last_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            in_flight: 5_000,
            request_bytes: 64 << 20,
            idle_within: Duration::from_secs(75),
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
            unread_within: Duration::from_secs(30),
            lame_duck: Duration::ZERO,
            // Together below the 10 s after which container engines kill, with up to 1 s for
            // connections that have not asked and 1 s for the records of refusals.
            answers_within: Duration::from_secs(5),
            flush_within: Duration::from_secs(3),
            quiet_within: Duration::from_millis(500),
            last_within: Duration::from_millis(250),
        }
    }
}

impl Limits {
    /// As configured.
    #[must_use]
    pub fn of(settings: &IngestSettings) -> Self {
        Self {
            connections: settings.max_connections,
            in_flight: settings.max_in_flight,
            idle_within: settings.idle_timeout,
            lame_duck: settings.lame_duck,
            last_within: settings.store_within().min(LONGEST_LAST),
            ..Self::default()
        }
    }

    /// Raises the process's limit of open files as far as it may, and bounds the connections by it,
    /// which is said.
    #[must_use]
    pub fn within_open_files(self) -> Self {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        if limit.current < limit.maximum {
            let raised = rustix::process::Rlimit {
                current: limit.maximum,
                ..limit
            };
            if setrlimit(Resource::Nofile, raised).is_ok() {
                limit = getrlimit(Resource::Nofile);
            }
        }
        let bounded = self.within(limit.current);
        if bounded.connections < self.connections {
            warn!(
                max_connections = self.connections,
                connections = bounded.connections,
                open_files = limit.current,
                remedy = format!(
                    "let the process open {} files (LimitNOFILE= of its unit, or ulimit -n), or lower ingest.max_connections",
                    self.connections.saturating_add(OTHER_FILES)
                ),
                "fewer connections than configured: the process may not open so many files"
            );
        }
        bounded
    }

    /// Bounded by so many open files; `None`: by none.
    fn within(self, files: Option<u64>) -> Self {
        let most = files.map_or(usize::MAX, |files| {
            let files = usize::try_from(files).unwrap_or(usize::MAX);
            files.saturating_sub(OTHER_FILES).max(1)
        });
        Self {
            connections: self.connections.min(most),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_256_files_for_others() {
        let limits = Limits::default();
        let within = |files| limits.within(files).connections;
        assert_eq!(within(None), 10_000);
        assert_eq!(within(Some(65_536)), 10_000);
        assert_eq!(within(Some(10_256)), 10_000);
        assert_eq!(within(Some(10_255)), 9_999);
        assert_eq!(within(Some(1_024)), 768);
        assert_eq!(within(Some(20)), 1, "something is answered at least");
    }
}
