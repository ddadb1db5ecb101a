//! Waiting until the consumer has loaded what Kafka had: only then is what the tables lack missing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use postback_common::config::Settings;
use postback_service::kafka::{GroupLag, lag};
use postback_service::lifecycle::Shutdown;
use postback_store::Generation;

use super::Progress;
use super::error::BackfillError;

/// How often loading is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long nothing may be loaded while something waits. A consumer that was just killed is missed by
/// its group for 6 s (`session.timeout.ms`, unless `[kafka.options]` has more: brokers' own 45 s fit as
/// well), and another one takes over; the rest is for what starts, and for a batch that takes long.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where each partition ended.
pub(super) struct Goal(BTreeMap<i32, i64>);

impl Goal {
    fn of(lag: &GroupLag) -> Self {
        let partitions = lag.partitions.iter();
        Self(partitions.map(|one| (one.partition, one.high)).collect())
    }

    /// Records before the goal that are yet to be loaded.
    fn waiting(&self, lag: &GroupLag) -> u64 {
        let waiting = lag.partitions.iter().map(|one| {
            let goal = self
                .0
                .get(&one.partition)
                .copied()
                .unwrap_or(0)
                .min(one.high);
            u64::try_from(goal - one.next().max(one.low)).unwrap_or(0)
        });
        waiting.sum()
    }
}

/// Waits for what Kafka has now. True when it was stopped before.
pub(super) async fn wait(
    settings: &Settings,
    generation: Generation,
    stop: &Shutdown,
    progress: &dyn Progress,
) -> Result<bool, BackfillError> {
    let group = generation.consumer_group(&settings.consumer.group);
    let ask = || lag(&settings.kafka, &settings.kafka.topic, group.clone());
    let mut seen = ask().await.map_err(BackfillError::Lag)?;
    let goal = Goal::of(&seen);
    let (mut least, mut since) = (u64::MAX, Instant::now());
    loop {
        let waiting = goal.waiting(&seen);
        if waiting == 0 {
            return Ok(false);
        }
        if waiting < least {
            (least, since) = (waiting, Instant::now());
        }
        if since.elapsed() >= PATIENCE {
            let seconds = PATIENCE.as_secs();
            return Err(BackfillError::Loader { waiting, seconds });
        }
        progress.waits(waiting);
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return Ok(true),
        }
        seen = ask().await.map_err(BackfillError::Lag)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postback_service::kafka::PartitionLag;

    fn lag(partitions: &[(Option<i64>, i64, i64)]) -> GroupLag {
        let partition =
            |(number, (committed, low, high)): (usize, &(Option<i64>, i64, i64))| PartitionLag {
                partition: i32::try_from(number).unwrap(),
                committed: *committed,
                low: *low,
                high: *high,
            };
        GroupLag {
            group: "loader-g1".to_owned(),
            members: 1,
            partitions: partitions.iter().enumerate().map(partition).collect(),
        }
    }

    #[test]
    fn only_what_was_there_at_first_is_waited_for() {
        let goal = Goal::of(&lag(&[(Some(5), 0, 10), (None, 3, 7), (Some(4), 0, 4)]));
        assert_eq!(
            goal.waiting(&lag(&[(Some(5), 0, 10), (None, 3, 7), (Some(4), 0, 4)])),
            9
        );
        // More came meanwhile, and the goal stands.
        assert_eq!(
            goal.waiting(&lag(&[
                (Some(9), 0, 90),
                (Some(7), 3, 70),
                (Some(4), 0, 50)
            ])),
            1
        );
        assert_eq!(
            goal.waiting(&lag(&[
                (Some(10), 0, 90),
                (Some(8), 3, 70),
                (Some(4), 0, 50)
            ])),
            0
        );
    }
}
