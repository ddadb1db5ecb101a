//! What looks after the tables all the time, once for all: the coordinator's process does it.
//!
//! - `spot_check`: are records of the topic in the table that readers see? Every minute, for a few.
//! - Retention: months older than `clickhouse.keep_days` are dropped from every generation.
//! - How long the topic keeps records is shown beside the age of what is unread.

mod metrics;
mod spot_check;
mod windows;

use std::time::Duration;

use clickhouse::Client;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use postback_common::config::Settings;
use postback_service::topic::{self, Kept, Purpose, TopicError, TopicState};
use postback_store::retention::{self, Horizon};
use postback_store::{Generation, StoreError, generations};
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

pub(crate) use metrics::UpkeepMetrics;
use spot_check::SpotCheck;

/// Between two looks at samples.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// After one that failed.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// Between two looks at what is due to be dropped. What a replay brings back goes as soon.
const DROP_EVERY: Duration = Duration::from_secs(600);
/// Between two questions about the topic's settings.
const ASK_EVERY: Duration = Duration::from_secs(300);

/// Looks after the tables.
#[derive(Clone)]
pub(crate) struct Upkeep {
    pub(crate) settings: Settings,
    /// For questions and statements, not for loads.
    pub(crate) client: Client,
    pub(crate) metrics: UpkeepMetrics,
}

impl Upkeep {
    /// Works until it is dropped. What fails is tried again at the next turn.
    pub(crate) async fn run(self) {
        let _shown = Shown(self.metrics.clone());
        tokio::join!(self.look(), self.drop_months(), self.watch_topic());
    }

    async fn look(&self) {
        loop {
            let pause = match self.spot_check().await {
                Ok(look) => {
                    if let Some(look) = look {
                        self.metrics.looked(&look, Timestamp::now());
                    }
                    LOOK_EVERY
                }
                Err(error) => {
                    debug!(%error, "samples of the topic were not compared; it is tried again");
                    LOOK_AGAIN
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn spot_check(&self) -> Result<Option<spot_check::Look>, spot_check::SpotCheckError> {
        let lineage = generations::lineage(&self.client).await?;
        let Some(generation) = lineage.active else {
            return Ok(None);
        };
        let check = SpotCheck::new(&self.settings, &self.client, generation, self.horizon());
        let look = check.once().await?;
        for lost in &look.missing {
            warn!(
                id = %lost.id, partition = lost.partition, offset = lost.offset, %generation,
                "a record that counts as loaded has no row: see `postback verify`"
            );
        }
        Ok(Some(look))
    }

    async fn drop_months(&self) {
        let Some(keep_days) = self.settings.clickhouse.keep_days else {
            return;
        };
        let mut turns = turns(DROP_EVERY);
        loop {
            turns.tick().await;
            if let Err(error) = self.drop_old(keep_days).await {
                warn!(%error, "old months were not dropped; it is tried again");
            }
        }
    }

    async fn drop_old(&self, keep_days: u32) -> Result<(), StoreError> {
        let lineage = generations::lineage(&self.client).await?;
        let live: Vec<Generation> = lineage.live().map(|life| life.generation).collect();
        let dropped = retention::once(&self.client, &live, Timestamp::now(), keep_days).await?;
        for retention::Drop {
            table,
            month,
            rows,
            bytes,
        } in dropped
        {
            info!(table, %month, rows, bytes, keep_days, "dropped a month");
        }
        Ok(())
    }

    async fn watch_topic(&self) {
        let mut turns = turns(ASK_EVERY);
        loop {
            turns.tick().await;
            let asked = topic::inspect(&self.settings.kafka, Purpose::Raw).await;
            self.metrics.topic_keeps(kept(&asked));
        }
    }

    /// Before it nothing is in the tables any more.
    fn horizon(&self) -> Option<Horizon> {
        let keep_days = self.settings.clickhouse.keep_days?;
        let today = Zoned::now().with_time_zone(TimeZone::UTC).date();
        Some(Horizon::new(today, keep_days))
    }
}

/// How long the topic keeps records, as far as the brokers say.
fn kept(asked: &Result<TopicState, TopicError>) -> Option<Kept> {
    match asked {
        Ok(TopicState::Present(topic)) => {
            let kept = topic.kept();
            if kept.is_none() {
                debug!("the brokers do not say how long the topic keeps records");
            }
            kept
        }
        Ok(TopicState::Missing { .. }) => {
            debug!("there is no topic that could say how long it keeps records");
            None
        }
        Err(error) => {
            debug!(%error, "how long the topic keeps records is not known; it is asked again");
            None
        }
    }
}

/// What is shown of the tables ends with the work: an alert would stay otherwise, though the process
/// that looks now finds nothing.
struct Shown(UpkeepMetrics);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.forget();
    }
}

fn turns(every: Duration) -> tokio::time::Interval {
    let mut turns = tokio::time::interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

/// In seconds, as Prometheus has it.
fn seconds(kept: Kept) -> f64 {
    match kept {
        Kept::ForEver => f64::INFINITY,
        Kept::For(kept) => kept.as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_not_shown_when_another_process_looks() {
        let metrics = UpkeepMetrics::default();
        let look = spot_check::Look {
            checked: 5,
            missing: vec![spot_check::tests::sampled(); 2],
        };
        let shown = Shown(metrics.clone());
        metrics.looked(&look, Timestamp::now());
        metrics.topic_keeps(Some(Kept::ForEver));
        assert_eq!(metrics.values(), (5, 2, true, true));
        drop(shown);
        assert_eq!(metrics.values(), (5, 0, false, false));
    }

    #[test]
    fn what_is_not_known_any_more_is_not_shown_as_it_was() {
        let metrics = UpkeepMetrics::default();
        let kept_days = |days: i64| {
            let millis = (days * 86_400_000).to_string();
            Ok(TopicState::Present(topic::Topic {
                name: "t".to_owned(),
                brokers: 1,
                partitions: 1,
                replication: 1,
                configs: [("retention.ms".to_owned(), millis)].into(),
            }))
        };
        for unknown in [
            Ok(TopicState::Missing { brokers: 1 }),
            Err(TopicError::Options("refused".to_owned())),
        ] {
            metrics.topic_keeps(kept(&kept_days(30)));
            assert_eq!(metrics.values(), (0, 0, false, true));
            metrics.topic_keeps(kept(&unknown));
            assert_eq!(metrics.values(), (0, 0, false, false));
        }
    }
}
