//! Committing what is stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postback_service::kafka::rdkafka::consumer::{CommitMode, Consumer as _};
use postback_service::kafka::rdkafka::error::KafkaError;
use tokio::task::{JoinError, JoinHandle};
use tracing::warn;

use super::{Pipeline, State};
use crate::crash::{self, Place};
use crate::kafka::offsets;
use crate::progress::{Offset, Partition};

/// Pause after a commit that failed.
const COMMIT_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Next offsets that the group has.
pub(super) type Committed = Vec<(Partition, Offset)>;

/// A commit that is being answered.
pub(super) type Committing = JoinHandle<Result<Committed, KafkaError>>;

impl Pipeline {
    /// Commits what is stored of the partitions that are ours now, one commit at a time.
    ///
    /// librdkafka waits for the broker in a thread of its own: of commits that it does not wait
    /// for, rdkafka 0.39 never tells the result (librdkafka 2.12 tells it only where a callback is
    /// set, and rdkafka asks for an event). Should a partition go away meanwhile, its commit is
    /// refused, or names records that are stored: nothing is lost either way.
    pub(super) fn commit(&self, state: &mut State, now: Instant) {
        let is_too_soon = state.commit_from.is_some_and(|from| now < from);
        if state.committing.is_some() || is_too_soon {
            return;
        }
        let stored = self.progress.lock().uncommitted();
        if stored.is_empty() {
            return;
        }
        let (member, topic) = (Arc::clone(&self.member), self.topic.clone());
        state.committing = Some(tokio::task::spawn_blocking(move || {
            let list = offsets(&topic, &stored)?;
            crash::pass(Place::BeforeCommit);
            member.commit(&list, CommitMode::Sync)?;
            crash::pass(Place::AfterCommit);
            Ok(stored)
        }));
    }

    pub(super) fn committed(&self, state: &mut State, result: Result<Committed, KafkaError>) {
        state.committing = None;
        self.metrics.commit(result.is_ok());
        match result {
            Ok(offsets) => {
                self.member.context().denials.committed();
                let mut progress = self.progress.lock();
                for (partition, offset) in offsets {
                    progress.commit(partition, offset);
                }
            }
            Err(error) => {
                // Nothing is lost: they are committed again, or their records loaded again.
                warn!(%error, "offsets were not committed");
                state.commit_from = Some(Instant::now() + COMMIT_AGAIN_AFTER);
            }
        }
    }
}

/// The answer to the commit in flight; never, while there is none. Safe to cancel.
pub(super) async fn answered(
    committing: &mut Option<Committing>,
) -> Result<Result<Committed, KafkaError>, JoinError> {
    match committing {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}
