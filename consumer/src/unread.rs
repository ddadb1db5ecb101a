//! How old the oldest record is that is not loaded yet: what the topic's retention would take first.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use postback_common::config::KafkaSettings;
use postback_service::kafka::{Amount, LogError, LogReader, Span, next_to_load};
use postback_service::lifecycle::Shutdown;
use tracing::debug;

use crate::kafka::SharedProgress;
use crate::progress::Partition;
use crate::role::RoleMetrics;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Before the first one: the group is joined by then, mostly.
const FIRST_AFTER: Duration = Duration::from_secs(3);

/// Measures the partitions that a pipeline has.
#[derive(Clone)]
pub(crate) struct Unread {
    pub(crate) kafka: KafkaSettings,
    pub(crate) group: String,
    pub(crate) progress: SharedProgress,
    pub(crate) metrics: RoleMetrics,
}

impl Unread {
    /// Works until shutdown, beside the pipeline and out of its way.
    pub(crate) async fn watch(self, shutdown: Shutdown) {
        let mut pause = FIRST_AFTER;
        let mut reader = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = LOOK_EVERY,
            }
            match self.look(reader.take()).await {
                Ok(kept) => reader = kept,
                Err(error) => debug!(%error, "the age of what is unread was not measured"),
            }
        }
    }

    async fn look(
        &self,
        reader: Option<Arc<LogReader>>,
    ) -> Result<Option<Arc<LogReader>>, LogError> {
        let ours: Vec<Partition> = (self.progress.lock().assignments())
            .map(|(partition, ..)| partition)
            .collect();
        if ours.is_empty() {
            return Ok(reader);
        }
        let (kafka, group) = (self.kafka.clone(), self.group.clone());
        let asking = tokio::task::spawn_blocking(move || {
            let reader = match reader {
                Some(reader) => reader,
                None => Arc::new(LogReader::of_group(
                    &kafka,
                    &kafka.topic,
                    "postback-unread",
                    &group,
                    Amount::Few,
                )?),
            };
            let oldest = oldest(&reader, &ours)?;
            Ok::<_, LogError>((reader, oldest))
        });
        let Ok(asked) = asking.await else {
            return Ok(None);
        };
        let (reader, oldest) = asked?;
        let now = Timestamp::now();
        for (partition, unread) in oldest {
            // It may have gone to another member meanwhile.
            if self.progress.lock().is_ours(partition) {
                self.metrics.unread_age(partition, age(unread, now));
            }
        }
        Ok(Some(reader))
    }
}

/// When the broker took the oldest record of each partition that is not loaded; `None` where there
/// is none.
fn oldest(
    reader: &LogReader,
    partitions: &[Partition],
) -> Result<Vec<(Partition, Option<Timestamp>)>, LogError> {
    let committed = reader.committed(partitions)?;
    let mut found = Vec::new();
    for partition in partitions {
        let (low, high) = reader.bounds(*partition)?;
        let first = first_unread(committed.get(partition).copied(), low, high);
        // Marks of transactions and holes are no records: the next one may stand further on.
        let span = Span {
            partition: *partition,
            from: first,
            to: high,
        };
        let mut taken = None;
        reader.read_first(&[span], &AtomicBool::new(false), |message| {
            taken = Some(message.broker_time());
        })?;
        found.push((*partition, taken));
    }
    Ok(found)
}

/// The oldest record that is not loaded and that Kafka still has.
fn first_unread(committed: Option<i64>, low: i64, high: i64) -> i64 {
    next_to_load(committed, low, high).max(low)
}

/// Seconds; a clock that is behind the broker's makes nothing younger than now.
fn age(unread: Option<Timestamp>, now: Timestamp) -> f64 {
    unread.map_or(0.0, |unread| {
        now.duration_since(unread).as_secs_f64().max(0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_unread_is_what_the_loader_takes_next() {
        assert_eq!(first_unread(Some(7), 2, 10), 7);
        assert_eq!(first_unread(Some(10), 2, 10), 10);
        assert_eq!(first_unread(None, 2, 10), 2);
        assert_eq!(first_unread(Some(1), 4, 10), 4);
        assert_eq!(first_unread(Some(99), 4, 10), 4);
    }

    #[test]
    fn nothing_unread_has_no_age() {
        let now: Timestamp = "2026-09-01T00:00:10Z".parse().unwrap();
        let at = |text: &str| Some(text.parse().unwrap());
        assert!((age(at("2026-09-01T00:00:00Z"), now) - 10.0).abs() < 1e-9);
        assert!(age(None, now).abs() < 1e-9);
        assert!(age(at("2026-09-01T00:00:11Z"), now).abs() < 1e-9);
    }
}
