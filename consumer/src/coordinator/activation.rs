//! Switching readers from one generation to another, without a reader seeing less than before.
//!
//! 1. Wait until the other one is close: it has passed where the active one was a moment ago.
//! 2. Hold the active one: its members stop, and mark their offsets ([`crate::pipeline`]).
//! 3. Wait until the other one has passed these offsets, and the rows that a member inserted and did
//!    not live to commit: it has all that readers can have seen.
//! 4. Switch the views, record it. The held one goes on, beside it.
//!
//! A hold that lasts too long is given up, and all begins again later: readers would rather wait
//! for a switch than look at a standstill. That is so whatever fails meanwhile.
//!
//! A switch can be taken back until it is recorded: what is recorded afterwards counts for nothing,
//! and the views are pointed back.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use postback_store::generations::point_views_at;
use postback_store::{Event, Generation, Lineage, Offsets, generations, history};
use tracing::{info, warn};

use super::close::Chase;
use super::{Coordinator, StepError};
use crate::crash::{self, Place};

/// Longest standstill.
const HOLD_WITHIN: Duration = Duration::from_secs(20);
/// Pause after a standstill that was given up.
const REST: Duration = Duration::from_secs(10);

/// What the coordinator has seen of a switch that is under way.
#[derive(Debug, Default)]
pub(super) struct Watched {
    chase: Chase,
    held: Option<Held>,
    rest_until: Option<Instant>,
    /// The views were looked at.
    settled: Option<Generation>,
}

/// A hold, and what is to be passed before it ends.
#[derive(Debug)]
struct Held {
    mark: String,
    since: Instant,
    to_pass: Option<Offsets>,
}

impl Coordinator {
    pub(super) async fn advance_activation(&mut self, lineage: &Lineage) -> Result<(), StepError> {
        let Some(active) = lineage.active else {
            return Ok(());
        };
        let Some(activation) = &lineage.activation else {
            self.watched.held = None;
            return self.settle_views(active).await;
        };
        self.watched.settled = None;
        let to = activation.to;
        if !lineage
            .live_one(to)
            .is_some_and(postback_store::Life::is_whole)
        {
            return Ok(());
        }
        match &activation.hold {
            None => self.wait_until_close(active, to).await,
            Some(mark) => self.switch_or_give_up(active, to, mark).await,
        }
    }

    /// A coordinator before us may have gone between the two steps of a switch.
    async fn settle_views(&mut self, active: Generation) -> Result<(), StepError> {
        if self.watched.settled != Some(active) {
            point_views_at(&self.client, active).await?;
            self.watched.settled = Some(active);
        }
        Ok(())
    }

    async fn wait_until_close(
        &mut self,
        active: Generation,
        to: Generation,
    ) -> Result<(), StepError> {
        let rests = (self.watched.rest_until).is_some_and(|until| Instant::now() < until);
        let chase = &mut self.watched.chase;
        if rests || !chase.is_close(&self.groups, active, to).await? {
            return Ok(());
        }
        // No two holds have one mark.
        let mark = format!("{to} passes {active}, {}", Timestamp::now());
        info!(from = %active, %to, "holding the active generation for the switch");
        generations::record(&self.client, to, &Event::Held(mark)).await?;
        crash::pass(Place::Held);
        Ok(())
    }

    /// What a generation that stands still has shown to readers: what its group has committed, and
    /// rows that a member inserted and did not live to commit. `None` while a partition moves.
    async fn seen_by_readers(
        &self,
        active: Generation,
        mark: &str,
    ) -> Result<Option<Offsets>, StepError> {
        let left = self.groups.positions(active).await?;
        if !left.all_marked(mark) {
            return Ok(None);
        }
        let topic = &self.parts.settings.kafka.topic;
        let next = left.next();
        let inserted = history::next_offsets(&self.client, active, topic, &next).await?;
        Ok(Some(left.next_with(&inserted)))
    }

    /// All that readers can have seen, `to` has. False while that is not known.
    async fn has_passed(
        &mut self,
        active: Generation,
        to: Generation,
        mark: &str,
    ) -> Result<bool, StepError> {
        let known = (self.watched.held.as_ref()).and_then(|held| held.to_pass.clone());
        let to_pass = match known {
            Some(to_pass) => to_pass,
            None => match self.seen_by_readers(active, mark).await? {
                Some(to_pass) => to_pass,
                None => return Ok(false),
            },
        };
        if let Some(held) = &mut self.watched.held {
            held.to_pass = Some(to_pass.clone());
        }
        Ok(self.groups.positions(to).await?.passed(&to_pass))
    }

    async fn switch_or_give_up(
        &mut self,
        active: Generation,
        to: Generation,
        mark: &str,
    ) -> Result<(), StepError> {
        // A question that fails or waits counts as standstill, too.
        let left = HOLD_WITHIN.saturating_sub(self.watched.held_for(mark));
        let has_passed = tokio::time::timeout(left, self.has_passed(active, to, mark));
        let done = match has_passed.await {
            Ok(Ok(true)) => self.switch(active, to, mark).await,
            Ok(Ok(false)) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => self.give_up(active, to).await,
        };
        done.inspect_err(|error| {
            warn!(
                from = %active, %to, %error,
                "a step failed while the active generation is held: it is tried again until the hold is given up"
            );
        })
    }

    async fn switch(
        &mut self,
        active: Generation,
        to: Generation,
        mark: &str,
    ) -> Result<(), StepError> {
        // Kafka's answers took their time: somebody may have thought better of it.
        let now = generations::lineage(&self.client).await?;
        if now.hold_on(active) != Some(mark) {
            return Ok(());
        }
        point_views_at(&self.client, to).await?;
        crash::pass(Place::Switched);
        let now = generations::record(&self.client, to, &Event::Activated).await?;
        if now.active == Some(to) {
            info!(from = %active, %to, "readers are switched");
            return Ok(());
        }
        // Or has done so in this very moment, and was told that nothing is switched.
        let stays = now.active.unwrap_or(active);
        info!(from = %active, %to, %stays, "the switch was taken back: readers are sent back");
        point_views_at(&self.client, stays).await?;
        Ok(())
    }

    /// The active generation goes on first, whatever becomes of the views.
    async fn give_up(&mut self, active: Generation, to: Generation) -> Result<(), StepError> {
        let stands_still = (self.watched.held.as_ref()).is_some_and(|held| held.to_pass.is_some());
        generations::record(&self.client, to, &Event::Released).await?;
        self.watched.rest_until = Some(Instant::now() + REST);
        warn!(
            from = %active, %to, stands_still,
            "the switch took too long: the active generation goes on, and it is tried again"
        );
        point_views_at(&self.client, active).await?;
        Ok(())
    }
}

impl Watched {
    /// How long a hold of this mark is known.
    fn held_for(&mut self, mark: &str) -> Duration {
        let held = self.held.take().filter(|held| held.mark == mark);
        let held = held.unwrap_or_else(|| Held {
            mark: mark.to_owned(),
            since: Instant::now(),
            to_pass: None,
        });
        self.held.insert(held).since.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_as_old_as_its_first_sight_and_another_mark_is_another_hold() {
        let mut watched = Watched::default();
        assert!(watched.held_for("one") < HOLD_WITHIN);
        if let Some(held) = &mut watched.held {
            held.since = held.since.checked_sub(HOLD_WITHIN).unwrap();
            held.to_pass = Some(Offsets::new());
        }
        assert!(watched.held_for("one") >= HOLD_WITHIN);
        assert!(watched.held.as_ref().unwrap().to_pass.is_some());
        assert!(watched.held_for("two") < HOLD_WITHIN);
        assert_eq!(watched.held.as_ref().unwrap().to_pass, None);
    }
}
