//! Bounds on connections and on the time they may take.

use std::time::Duration;

/// Bounds that are the same for all sources.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections open at once; further ones wait in the listening socket's queue.
    pub connections: usize,
    /// Time for the head of a request. It runs from the end of the request before, so it is also how
    /// long a connection may idle: longer than a balancer keeps its side open (60 s is common).
    pub head_within: Duration,
    /// Time for the body of a request, from the end of its head.
    pub body_within: Duration,
    /// At shutdown, time for what is being answered.
    pub answers_within: Duration,
    /// At shutdown, time for Kafka to confirm what is still in the producer's queue.
    pub flush_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head_within: Duration::from_secs(75),
            body_within: Duration::from_secs(10),
            // Together below the 10 s after which container engines kill.
            answers_within: Duration::from_secs(5),
            flush_within: Duration::from_secs(3),
        }
    }
}

impl Limits {
    /// Raises the process's limit of open files as far as it may, and bounds the connections by it.
    #[must_use]
    pub fn within_open_files(mut self) -> Self {
        use rustix::process::{Resource, getrlimit, setrlimit};
        /// For listeners, Kafka, epoll and the standard streams.
        const OTHERS: u64 = 128;
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
        if let Some(files) = limit.current {
            let most = usize::try_from(files.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
            self.connections = self.connections.min(most.max(1));
        }
        self
    }
}
