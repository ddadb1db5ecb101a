//! The end in order: what is being loaded is finished or dropped, what is stored is committed, the
//! group is left. All of it is bounded; what does not make it is loaded again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tracing::{info, warn};

use super::{Pipeline, PipelineError, State};
use crate::kafka::Member;

/// For the load in flight. It does not wait for ClickHouse to come back.
const LOAD_WITHIN: Duration = Duration::from_secs(10);
/// For the last commit.
const COMMIT_WITHIN: Duration = Duration::from_secs(5);
/// For leaving the group. A static member (`instance_id`) does not leave: its partitions wait for
/// its return.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

impl Pipeline {
    /// Ends. What was collected and not loaded is dropped.
    pub(super) async fn end(self, mut state: State) -> Result<(), PipelineError> {
        self.probe.fail("the process is going down", "");
        if let Some(load) = state.loading.as_mut() {
            match timeout(LOAD_WITHIN, &mut load.task).await {
                Ok(loaded) => self.finish(&mut state, loaded?),
                Err(_) => warn!("the load in flight did not end in time; it is loaded again later"),
            }
        }
        self.commit_the_rest(&mut state).await;
        if let Some(measuring) = state.measuring.take() {
            // It holds the member, too; what it found no longer matters.
            drop(timeout(LEAVE_WITHIN, measuring).await);
        }
        leave(self.member).await;
        info!("ended");
        Ok(())
    }

    /// What a commit in flight leaves over is committed by another one.
    async fn commit_the_rest(&self, state: &mut State) {
        let committing = async {
            loop {
                if let Some(task) = state.committing.as_mut() {
                    match task.await {
                        Ok(result) => self.committed(state, result),
                        Err(error) => return warn!(%error, "the last commit failed"),
                    }
                }
                self.commit(state, Instant::now());
                if state.committing.is_none() {
                    return;
                }
            }
        };
        if timeout(COMMIT_WITHIN, committing).await.is_err() {
            warn!("the last commit was not answered; its records are loaded again later");
        }
    }
}

/// Dropping the last handle leaves the group.
async fn leave(member: Arc<Member>) {
    bounded(LEAVE_WITHIN, "leaving the group", move || drop(member)).await;
}

/// librdkafka blocks; a broker that is away must not hold us up.
async fn bounded(within: Duration, what: &str, act: impl FnOnce() + Send + 'static) {
    match timeout(within, tokio::task::spawn_blocking(act)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "{what} failed"),
        Err(_) => warn!("{what} took too long and is given up"),
    }
}
