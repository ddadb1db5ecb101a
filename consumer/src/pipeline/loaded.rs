//! What follows from a load: progress, or a partition that is held.

use std::time::Instant;

use postback_service::kafka::rdkafka::consumer::Consumer as _;
use postback_service::kafka::rdkafka::topic_partition_list::Offset;
use tokio::task::JoinError;
use tracing::{error, info, warn};

use super::{Load, Pipeline, SEEK_WITHIN, State};
use crate::holds::Cause;
use crate::load::{Fate, Loaded};
use crate::progress::Partition;

impl Pipeline {
    pub(super) fn finish(&self, state: &mut State, loaded: Vec<Loaded>) {
        if let Some(load) = state.loading.take() {
            self.metrics.batch_seconds.observe(load.began.elapsed());
        }
        for part in loaded {
            let Loaded {
                partition,
                epoch,
                end,
                fate,
            } = part;
            match fate {
                Fate::Stored => {
                    let is_stored = self.progress.lock().store(partition, epoch, end);
                    if is_stored && state.holds.stored(partition, end) {
                        self.metrics.hold(partition, false);
                        info!(topic = self.topic, partition, "the held partition goes on");
                    }
                }
                Fate::Refused(offset, error) => {
                    let mut progress = self.progress.lock();
                    if !progress.is_current(partition, epoch) {
                        continue;
                    }
                    progress.store(partition, epoch, offset);
                    progress.halt(partition);
                    drop(progress);
                    let code = error
                        .code
                        .map(|code| format!(", code {code}"))
                        .unwrap_or_default();
                    let cause = Cause {
                        first: offset,
                        end: offset + 1,
                        problem: format!(
                            "{}: {} [{}{code}]",
                            error.attempt,
                            error.message,
                            error.kind.as_str()
                        ),
                        remedy: error.remedy.into_owned(),
                    };
                    self.hold(state, partition, cause);
                }
                Fate::Dropped => {}
            }
        }
    }

    pub(super) fn hold(&self, state: &mut State, partition: Partition, cause: Cause) {
        let Cause {
            first,
            end,
            problem,
            remedy,
        } = cause.clone();
        if state.holds.hold(partition, cause, Instant::now()) {
            error!(
                topic = self.topic,
                partition,
                first_offset = first,
                last_offset = end - 1,
                remedy,
                "partition held, the others go on: {problem}"
            );
        }
        self.metrics.hold(partition, true);
    }

    /// Held partitions are read again when their time has come.
    pub(super) fn try_held(&self, state: &mut State) {
        for partition in state.holds.due(Instant::now()) {
            let Some(from) = self.progress.lock().go_on(partition) else {
                continue;
            };
            let sought =
                self.member
                    .seek(&self.topic, partition, Offset::Offset(from), SEEK_WITHIN);
            if let Err(error) = sought {
                // Not read from elsewhere: the hold's next turn tries again.
                warn!(partition, offset = from, %error, "cannot go back to the held offset");
                self.progress.lock().halt(partition);
                state.holds.again(partition, Instant::now());
            }
        }
    }
}

/// The end of the load; never, while there is none. Safe to cancel.
pub(super) async fn finished(loading: &mut Option<Load>) -> Result<Vec<Loaded>, JoinError> {
    match loading {
        Some(load) => (&mut load.task).await,
        None => std::future::pending().await,
    }
}
