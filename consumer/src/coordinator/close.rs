//! Whether one generation is close behind another one.

use std::time::{Duration, Instant};

use postback_store::{Generation, Offsets};

use super::StepError;
use super::groups::Groups;

/// Close is who passes a place within this time.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Where a generation was a moment ago.
#[derive(Debug, Default)]
pub(super) struct Chase(Option<Was>);

/// Where a generation was, and when.
#[derive(Debug)]
struct Was {
    from: Generation,
    seen: Instant,
    next: Offsets,
}

impl Chase {
    /// `to` has passed where `from` was a moment ago. Asked again and again, it is true sooner or
    /// later.
    pub(super) async fn is_close(
        &mut self,
        groups: &Groups,
        from: Generation,
        to: Generation,
    ) -> Result<bool, StepError> {
        let recent =
            (self.0.as_ref()).filter(|was| was.from == from && was.seen.elapsed() < CLOSE_WITHIN);
        if let Some(was) = recent {
            return Ok(groups.positions(to).await?.passed(&was.next));
        }
        let next = groups.positions(from).await?.next();
        let seen = Instant::now();
        self.0 = Some(Was { from, seen, next });
        Ok(false)
    }
}
