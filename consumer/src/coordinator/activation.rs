//! Switching readers from one generation to another, without a reader seeing less than before.
//!
//! 1. Wait until the other one is close: it has passed where the active one was a moment ago.
//! 2. Hold the active one: its members stop, and mark their offsets ([`crate::pipeline`]).
//! 3. Wait until the other one has passed these offsets: it has all that readers can have seen.
//! 4. Switch the views, record it. The held one goes on, beside it.
//!
//! A hold that lasts too long is given up, and all begins again later: readers would rather wait
//! for a switch than look at a standstill.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use postback_store::generations::point_views_at;
use postback_store::{Event, Generation, Lineage, Offsets, generations};
use tracing::{info, warn};

use super::{Coordinator, StepError};

/// Close is who passes a place within this time.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// Longest standstill.
const HOLD_WITHIN: Duration = Duration::from_secs(20);
/// Pause after a standstill that was given up.
const REST: Duration = Duration::from_secs(10);

/// What the coordinator has seen of a switch that is under way.
#[derive(Debug, Default)]
pub(super) struct Watched {
    was: Option<Was>,
    /// Since when the hold of this mark is watched.
    held: Option<(String, Instant)>,
    rest_until: Option<Instant>,
    /// The views were looked at.
    settled: Option<Generation>,
}

/// Where a generation was, and when.
#[derive(Debug)]
struct Was {
    from: Generation,
    seen: Instant,
    next: Offsets,
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
        if rests || !self.is_close(active, to).await? {
            return Ok(());
        }
        // No two holds have one mark.
        let mark = format!("{to} passes {active}, {}", Timestamp::now());
        info!(from = %active, %to, "holding the active generation for the switch");
        generations::record(&self.client, to, &Event::Held(mark)).await?;
        Ok(())
    }

    /// `to` has passed where `from` was a moment ago. Asked again and again, it is true sooner or
    /// later.
    pub(super) async fn is_close(
        &mut self,
        from: Generation,
        to: Generation,
    ) -> Result<bool, StepError> {
        let recent = (self.watched.was.as_ref())
            .filter(|was| was.from == from && was.seen.elapsed() < CLOSE_WITHIN);
        if let Some(was) = recent {
            return Ok(self.groups.positions(to).await?.passed(&was.next));
        }
        let next = self.groups.positions(from).await?.next();
        let seen = Instant::now();
        self.watched.was = Some(Was { from, seen, next });
        Ok(false)
    }

    async fn switch_or_give_up(
        &mut self,
        active: Generation,
        to: Generation,
        mark: &str,
    ) -> Result<(), StepError> {
        let since = match &self.watched.held {
            Some((held, since)) if held == mark => *since,
            _ => {
                let now = Instant::now();
                self.watched.held = Some((mark.to_owned(), now));
                now
            }
        };
        let left = self.groups.positions(active).await?;
        let stands_still = left.all_marked(mark);
        if stands_still && self.groups.positions(to).await?.passed(&left.next()) {
            point_views_at(&self.client, to).await?;
            generations::record(&self.client, to, &Event::Activated).await?;
            info!(from = %active, %to, "readers are switched");
            return Ok(());
        }
        if since.elapsed() > HOLD_WITHIN {
            warn!(
                from = %active, %to, stands_still,
                "the switch took too long: the active generation goes on, and it is tried again"
            );
            point_views_at(&self.client, active).await?;
            generations::record(&self.client, to, &Event::Released).await?;
            self.watched.rest_until = Some(Instant::now() + REST);
        }
        Ok(())
    }
}
