//! What is left of dropped generations goes: their tables, their consumer groups.
//!
//! Beside the steps of coordination: the server drops a table when nobody reads it any more, or
//! refuses to, and neither may keep readers from being switched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clickhouse::Client;
use postback_store::{Generation, Kind, Lineage, generations};
use tracing::{debug, info, warn};

use super::groups::Groups;

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Removes it.
pub(super) struct Remains {
    client: Client,
    groups: Groups,
    /// Dropped generations of which nothing is left.
    cleared: BTreeSet<Generation>,
    told: Told,
}

impl Remains {
    pub(super) fn new(client: &Client, groups: &Groups) -> Self {
        Self {
            client: client.clone(),
            groups: groups.clone(),
            cleared: BTreeSet::new(),
            told: Told::default(),
        }
    }

    /// Works until it is dropped. What fails is tried again.
    pub(super) async fn run(mut self) {
        loop {
            match generations::lineage(&self.client).await {
                Ok(lineage) => self.clear(&lineage).await,
                Err(error) => debug!(%error, "dropped generations were not looked for"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whoever dropped a generation may have gone before its tables and its group had.
    async fn clear(&mut self, lineage: &Lineage) {
        for (generation, life) in &lineage.lives {
            if life.is_live() || self.cleared.contains(generation) {
                continue;
            }
            match generations::drop_tables(&self.client, *generation).await {
                Ok(true) => info!(%generation, "dropped its tables"),
                Ok(false) => {}
                Err(error) => {
                    if self.told.is_new(*generation, (error.kind, error.code)) {
                        warn!(
                            %generation, %error,
                            "the generation is dropped, and its tables are not yet: it is tried again"
                        );
                    }
                    continue;
                }
            }
            match self.groups.delete(*generation).await {
                Ok(()) => {
                    self.cleared.insert(*generation);
                }
                // Its members have not left yet.
                Err(error) => debug!(%generation, %error, "its consumer group is still there"),
            }
        }
    }
}

/// The kind of trouble, and the server's code. Its words can be others each time.
type Trouble = (Kind, Option<u32>);

/// What was said of each generation last.
#[derive(Debug, Default)]
struct Told(BTreeMap<Generation, Trouble>);

impl Told {
    /// The same again and again is said once.
    fn is_new(&mut self, generation: Generation, trouble: Trouble) -> bool {
        self.0.insert(generation, trouble) != Some(trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_told_once_for_each_change() {
        let (one, two) = (Generation::FIRST, Generation::new(2).unwrap());
        let mut told = Told::default();
        let mut say = |generation, code| told.is_new(generation, (Kind::Outage, code));
        assert!(say(one, None) && say(two, None));
        assert!(!say(one, None) && !say(two, None));
        assert!(say(one, Some(630)) && say(one, None));
    }
}
