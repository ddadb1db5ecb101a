//! Holding still, so that another generation can pass.
//!
//! While readers are switched from one generation to another, every member of the one that they
//! leave stops where it is, and commits its offsets again with a mark. Whoever reads the group's
//! offsets then sees which partitions stand still, and where: a mark goes with every ordinary
//! commit, so it cannot be out of date.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postback_service::kafka::rdkafka::Offset as At;
use postback_service::kafka::rdkafka::consumer::{CommitMode, Consumer as _};
use postback_service::kafka::rdkafka::error::KafkaError;
use postback_service::kafka::rdkafka::topic_partition_list::TopicPartitionList;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::{Pipeline, State};
use crate::kafka::{Member, list};
use crate::progress::{Epoch, Partition};

/// For one question about a partition's beginning or the group's offsets.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// Pause after a mark that was not taken.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Under which mark this member stands still.
#[derive(Debug, Default)]
pub(super) struct Standstill {
    mark: Option<Arc<str>>,
    /// Partitions whose mark the group has, with the assignment under which.
    marked: Vec<(Partition, Epoch)>,
    marking: Option<JoinHandle<Result<(), KafkaError>>>,
    asked: Vec<(Partition, Epoch)>,
    again_from: Option<Instant>,
}

impl Standstill {
    /// The group was asked, and has not answered.
    pub(super) const fn is_marking(&self) -> bool {
        self.marking.is_some()
    }
}

impl Pipeline {
    /// A load may begin: nothing is held, and it is our turn.
    pub(super) fn may_load(&self, now: Instant) -> bool {
        self.hold.borrow().is_none() && self.turns.allow(&self.role, now)
    }

    /// Marks what stands still. Called whenever something may have changed.
    pub(super) fn mark_standstill(&self, state: &mut State, now: Instant) {
        let wanted = self.hold.borrow().clone();
        let is_quiet = state.loading.is_none() && state.committing.is_none();
        let standstill = &mut state.standstill;
        if standstill.mark != wanted {
            if let Some(mark) = &wanted {
                info!(group = self.group, %mark, "holding, so that another generation can pass");
            } else {
                info!(group = self.group, "going on");
            }
            *standstill = Standstill {
                mark: wanted.clone(),
                ..Standstill::default()
            };
        }
        let Some(mark) = wanted else { return };
        let is_too_soon = standstill.again_from.is_some_and(|from| now < from);
        if !is_quiet || standstill.marking.is_some() || is_too_soon {
            return;
        }
        let progress = self.progress.lock();
        if !progress.uncommitted().is_empty() {
            return;
        }
        let ours: Vec<_> = (progress.assignments())
            .map(|(partition, epoch, _)| (partition, epoch))
            .collect();
        drop(progress);
        standstill.marked.retain(|marked| ours.contains(marked));
        let lacking: Vec<_> = (ours.into_iter())
            .filter(|assignment| !standstill.marked.contains(assignment))
            .collect();
        if lacking.is_empty() {
            return;
        }
        standstill.asked.clone_from(&lacking);
        let (member, topic) = (Arc::clone(&self.member), self.topic.clone());
        standstill.marking = Some(tokio::task::spawn_blocking(move || {
            let partitions = lacking.iter().map(|(partition, _)| *partition);
            commit_marked(&member, &topic, partitions, &mark)
        }));
    }

    /// Takes the answer to a mark, if there is one.
    pub(super) async fn take_mark(&self, state: &mut State) {
        let standstill = &mut state.standstill;
        let Some(marking) = standstill.marking.take_if(|marking| marking.is_finished()) else {
            return;
        };
        match marking.await {
            Ok(Ok(())) => standstill.marked.append(&mut standstill.asked),
            Ok(Err(error)) => {
                warn!(group = self.group, %error, "the standstill was not marked; it is tried again");
                standstill.again_from = Some(Instant::now() + AGAIN_AFTER);
            }
            Err(error) => warn!(%error, "marking the standstill failed"),
        }
    }
}

/// Commits what the group has already, with a mark. A partition of which it has nothing yet stands
/// at its beginning.
fn commit_marked(
    member: &Member,
    topic: &str,
    partitions: impl Iterator<Item = Partition>,
    mark: &str,
) -> Result<(), KafkaError> {
    let known = member.committed_offsets(list(topic, partitions), ASK_WITHIN)?;
    let mut marked = TopicPartitionList::new();
    for element in known.elements() {
        let offset = match element.offset() {
            At::Offset(offset) => offset,
            _ => {
                member
                    .fetch_watermarks(topic, element.partition(), ASK_WITHIN)?
                    .0
            }
        };
        let mut to_mark = marked.add_partition(topic, element.partition());
        to_mark.set_offset(At::Offset(offset))?;
        to_mark.set_metadata(mark);
    }
    member.commit(&marked, CommitMode::Sync)
}
