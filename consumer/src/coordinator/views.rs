//! A look at what the views read, now and then: a migration that hung while readers were switched
//! may have pointed them back, and nobody else would notice.

use std::time::{Duration, Instant};

use postback_store::Lineage;
use postback_store::generations::settle_views;
use tracing::{debug, warn};

use super::Coordinator;

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Coordinator {
    /// Lets the views read the active generation. Not while it is held: then a switch is at its views.
    pub(super) async fn look_at_views(&mut self, lineage: &Lineage) {
        let is_held = (lineage.activation.as_ref()).is_some_and(|found| found.hold.is_some());
        let is_due = (self.views_seen).is_none_or(|seen| seen.elapsed() >= LOOK_EVERY);
        let Some(active) = lineage.active.filter(|_| is_due && !is_held) else {
            return;
        };
        match settle_views(&self.client, active).await {
            Ok((active, changed)) => {
                self.views_seen = Some(Instant::now());
                if !changed.is_empty() {
                    warn!(%active, views = changed.join(", "), "views read another generation: pointed at the active one");
                }
            }
            Err(error) => debug!(%error, "the views are looked at again"),
        }
    }
}
