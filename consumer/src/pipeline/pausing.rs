//! Which partitions librdkafka is to fetch, and where the others end meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use postback_service::kafka::rdkafka::consumer::Consumer as _;
use tokio::task::JoinHandle;
use tracing::warn;

use super::{Pipeline, State};
use crate::kafka::{list, look_at_ends};
use crate::progress::{Epoch, Partition};

impl Pipeline {
    /// Paused is what is not to be read, and everything while no more fits.
    pub(super) fn pause_and_resume(&self, state: &mut State) {
        let no_more_fits = state.collecting.is_full(self.bounds);
        let assignments: BTreeMap<_, _> = (self.progress.lock().assignments())
            .map(|(partition, epoch, is_read)| ((partition, epoch), is_read))
            .collect();
        state
            .paused
            .retain(|assignment| assignments.contains_key(assignment));
        let wanted: BTreeSet<_> = (assignments.into_iter())
            .filter(|(_, is_read)| no_more_fits || !is_read)
            .map(|(assignment, _)| assignment)
            .collect();
        let topic = &*self.topic;
        let pause: Vec<_> = wanted.difference(&state.paused).copied().collect();
        let resume: Vec<_> = state.paused.difference(&wanted).copied().collect();
        let partitions = |assignments: &[(Partition, Epoch)]| {
            list(topic, assignments.iter().map(|(partition, _)| *partition))
        };
        // What fails stays different from what is wanted, and is tried again.
        if !pause.is_empty() {
            match self.member.pause(&partitions(&pause)) {
                Ok(()) => state.paused.extend(pause),
                Err(error) => warn!(%error, "cannot pause"),
            }
        }
        if !resume.is_empty() {
            match self.member.resume(&partitions(&resume)) {
                Ok(()) => state
                    .paused
                    .retain(|assignment| !resume.contains(assignment)),
                Err(error) => warn!(%error, "cannot resume"),
            }
        }
    }

    /// The lag of paused partitions, which nobody else measures.
    pub(super) fn measure_paused(&self, state: &mut State) {
        let is_measured = state.measuring.as_ref().is_none_or(JoinHandle::is_finished);
        if state.paused.is_empty() || !is_measured {
            return;
        }
        let member = Arc::clone(&self.member);
        let paused: Vec<_> = state
            .paused
            .iter()
            .map(|(partition, _)| *partition)
            .collect();
        let look = move || look_at_ends(&member, &paused);
        state.measuring = Some(tokio::task::spawn_blocking(look));
    }
}
