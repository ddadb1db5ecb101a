//! Whether the thread that drains has nothing to do.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// Asked by others, answered by the thread.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// How often it was asked.
    asked: AtomicU64,
    awake: Notify,
    /// How often it had been asked when the thread began the look that found nothing; `None` while
    /// there is something.
    answered: watch::Sender<Option<u64>>,
}

impl Rest {
    /// To be given back with what is found by a look that begins after this.
    pub(super) fn questions(&self) -> u64 {
        self.asked.load(SeqCst)
    }

    /// What a look has found.
    pub(super) fn looked(&self, nothing: bool, questions: u64) {
        self.answered.send_if_modified(|told| {
            let found = nothing.then_some(questions);
            let changes = *told != found;
            *told = found;
            changes
        });
    }

    /// Somebody asks: time for a look.
    pub(super) async fn question(&self) {
        self.awake.notified().await;
    }

    /// Waits for a look from now on that finds nothing, at most `within`.
    pub(super) async fn comes(&self, within: Duration) -> bool {
        let question = self.asked.fetch_add(1, SeqCst) + 1;
        self.awake.notify_one();
        let mut answered = self.answered.subscribe();
        let rest = answered.wait_for(|told| told.is_some_and(|asked| asked >= question));
        timeout(within, rest).await.is_ok_and(|heard| heard.is_ok())
    }
}
