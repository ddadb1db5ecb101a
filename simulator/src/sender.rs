//! Sends deliveries as the network does: one attempt each, 400 ms on its own clock, never again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::delivery::Delivery;
use crate::ledger::{Attempt, Entry, Ledger, Outcome, is_success};

/// How long the network waits for an answer, the round trip included.
pub const PATIENCE: Duration = Duration::from_millis(400);

/// Finished attempts that may wait for being noted down.
const UNNOTED: usize = 1_024;

/// Sends over a fixed number of keep-alive connections, each carrying one request at a time.
#[derive(Clone, Debug)]
pub struct Sender {
    address: SocketAddr,
    connections: usize,
    patience: Duration,
}

/// How far the sending is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// All deliveries.
    pub planned: u64,
    /// Attempts that have ended, in whatever way.
    pub sent: u64,
    /// Those answered with 2xx.
    pub acknowledged: u64,
}

impl Sender {
    /// Sends to the receiver at `address` over so many connections, at least one.
    #[must_use]
    pub fn new(address: SocketAddr, connections: usize) -> Self {
        Sender {
            address,
            connections: connections.max(1),
            patience: PATIENCE,
        }
    }

    /// Waits this long for an answer instead of 400 ms.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Sender { patience, ..self }
    }

    /// Sends all deliveries, taken up in their order, as fast as the answers come, and tells
    /// `progress` after each. Failures are entries of the ledger; none stops the sending. If the
    /// future is dropped, what runs is cut off.
    pub async fn send(
        &self,
        deliveries: Vec<Delivery>,
        mut progress: impl FnMut(&Progress),
    ) -> Ledger {
        let deliveries = Arc::new(deliveries);
        let mut attempts: Vec<Option<Attempt>> = vec![None; deliveries.len()];
        let mut so_far = Progress {
            planned: deliveries.len() as u64,
            ..Progress::default()
        };
        let (done, mut finished) = mpsc::channel(UNNOTED);
        let _running = self.start(&deliveries, &done);
        drop(done);
        while let Some((index, attempt)) = finished.recv().await {
            so_far.note(&attempt);
            attempts[index] = Some(attempt);
            progress(&so_far);
        }
        let planned = deliveries.iter().map(|delivery| delivery.planned.clone());
        let entries = planned.zip(attempts).map(|(planned, attempt)| Entry {
            attempt,
            ..Entry::unsent(planned)
        });
        Ledger {
            entries: entries.collect(),
        }
    }

    /// The same, blocking, on a runtime of its own. Not to be called from within another runtime.
    ///
    /// # Errors
    /// When the runtime cannot be made.
    pub fn send_blocking(
        &self,
        deliveries: Vec<Delivery>,
        progress: impl FnMut(&Progress),
    ) -> std::io::Result<Ledger> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(runtime.block_on(self.send(deliveries, progress)))
    }

    /// Starts one task per connection; each takes the next delivery until none is left.
    fn start(
        &self,
        deliveries: &Arc<Vec<Delivery>>,
        done: &mpsc::Sender<(usize, Attempt)>,
    ) -> JoinSet<()> {
        let next = Arc::new(AtomicUsize::new(0));
        let host: Arc<str> = self.address.to_string().into();
        let mut running = JoinSet::new();
        for _ in 0..self.connections.min(deliveries.len()) {
            let mut connection = Connection::new(self.address, self.patience);
            let (deliveries, next, done) = (deliveries.clone(), next.clone(), done.clone());
            let host = host.clone();
            running.spawn(async move {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(delivery) = deliveries.get(index) else {
                        return;
                    };
                    let attempt = connection.attempt(&host, delivery).await;
                    if done.send((index, attempt)).await.is_err() {
                        return;
                    }
                }
            });
        }
        running
    }
}

impl Progress {
    fn note(&mut self, attempt: &Attempt) {
        self.sent += 1;
        let acknowledged = match attempt.outcome {
            Outcome::Answered { status, .. } => is_success(status),
            Outcome::Failed { .. } => false,
        };
        self.acknowledged += u64::from(acknowledged);
    }
}

#[cfg(test)]
mod tests;
