//! Where Kafka's topic ended before a test was sent, and the search behind that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use postback_common::config::KafkaSettings;
use postback_common::record::RawRecord;
use postback_service::kafka::{Amount, LogReader, Span};
use tokio::time::Instant;
use uuid::Uuid;

use super::journey::LOOK;

/// Where each partition of the topic ended before the postback was sent.
pub(super) struct Log {
    settings: KafkaSettings,
    /// Kafka's words where it cannot be asked.
    ends: Result<Vec<(i32, i64)>, String>,
}

impl Log {
    /// Asks Kafka, at most for some seconds.
    pub(super) async fn look(settings: &KafkaSettings) -> Self {
        let asked = settings.clone();
        let ends = tokio::task::spawn_blocking(move || {
            let reader = LogReader::open(&asked, &asked.topic, "postback-send", Amount::Few)?;
            let partitions = reader.partitions()?;
            let end = |partition: i32| Ok((partition, reader.bounds(partition)?.1));
            partitions
                .into_iter()
                .map(end)
                .collect::<Result<Vec<_>, postback_service::kafka::LogError>>()
        });
        let ends = match ends.await {
            Ok(ends) => ends.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        Self {
            settings: settings.clone(),
            ends,
        }
    }

    /// The topic that is searched.
    pub(super) fn topic(&self) -> &str {
        &self.settings.topic
    }

    /// Partition and offset of a record; `None`: everything that came was read, and it is not there
    /// so far.
    ///
    /// # Errors
    /// Why nobody can tell: Kafka's words where it cannot be asked, or that it did not answer in time.
    pub(super) async fn find(self, id: Uuid, until: Instant) -> Result<Option<(i32, i64)>, String> {
        let ends = self.ends?;
        let progress = Arc::new(Progress::default());
        let (shared, settings) = (Arc::clone(&progress), self.settings);
        let search = tokio::task::spawn_blocking(move || search(&settings, &ends, id, &shared));
        let found = tokio::time::timeout_at(until, search).await;
        progress.stop.store(true, Ordering::Relaxed);
        match found {
            Ok(searched) => searched.unwrap_or_else(|error| Err(error.to_string())),
            Err(_elapsed) => progress.told(),
        }
    }
}

/// What a search and whoever waits for it tell each other.
#[derive(Debug, Default)]
struct Progress {
    /// Nobody waits any more.
    stop: AtomicBool,
    /// All that had come was read to its end, once at least.
    is_read: AtomicBool,
}

impl Progress {
    /// What is known of a search that was not waited for.
    fn told<T>(&self) -> Result<Option<T>, String> {
        if self.is_read.load(Ordering::Relaxed) {
            Ok(None)
        } else {
            Err("Kafka did not answer in time; --wait gives it longer".to_owned())
        }
    }
}

fn search(
    settings: &KafkaSettings,
    ends: &[(i32, i64)],
    id: Uuid,
    progress: &Progress,
) -> Result<Option<(i32, i64)>, String> {
    let words = |error: postback_service::kafka::LogError| error.to_string();
    let reader = LogReader::open(
        settings,
        &settings.topic,
        "postback-send",
        Amount::Stretches,
    )
    .map_err(words)?;
    let mut from: Vec<(i32, i64)> = ends.to_vec();
    let stop = &progress.stop;
    while !stop.load(Ordering::Relaxed) {
        let mut spans = Vec::new();
        for (partition, from) in &mut from {
            let to = reader.bounds(*partition).map_err(words)?.1;
            let span = Span {
                partition: *partition,
                from: *from,
                to,
            };
            *from = to.max(*from);
            spans.push(span);
        }
        let mut found = None;
        let take = |message: postback_common::record::Message<'_>| {
            let is_it = RawRecord::decode(message.bytes).is_ok_and(|record| record.id == id);
            if is_it {
                found = Some((message.partition, message.offset));
            }
        };
        reader.read(&spans, stop, take).map_err(words)?;
        if found.is_some() {
            return Ok(found);
        }
        // Where nobody waits any more, it may have been left half-way.
        if !stop.load(Ordering::Relaxed) {
            progress.is_read.store(true, Ordering::Relaxed);
        }
        std::thread::sleep(LOOK);
    }
    progress.told()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_everything_was_read_nobody_can_tell() {
        let progress = Progress::default();
        assert!(progress.told::<()>().is_err());
        progress.is_read.store(true, Ordering::Relaxed);
        assert_eq!(progress.told::<()>(), Ok(None));
    }
}
