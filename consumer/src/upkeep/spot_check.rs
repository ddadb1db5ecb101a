//! The light form of `postback verify`: samples of the topic against the table that readers see.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clickhouse::Client;
use postback_common::config::Settings;
use postback_service::kafka::{Amount, LogError, LogReader, Span};
use postback_store::retention::Horizon;
use postback_store::verify::{Tables, Wanted};
use postback_store::{Generation, StoreError};
use uuid::Uuid;

use super::windows::windows;

/// Before what is missing is looked for again: what counts was missing twice.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Why samples were not compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpotCheckError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

/// A record of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sampled {
    pub(crate) id: Uuid,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    wanted: Wanted,
}

/// What a look saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Records that were looked for.
    pub(crate) checked: u64,
    /// Those without a row, twice.
    pub(crate) missing: Vec<Sampled>,
}

/// Compares samples once.
pub(crate) struct SpotCheck<'a> {
    settings: &'a Settings,
    tables: Tables,
    generation: Generation,
    horizon: Option<Horizon>,
}

impl<'a> SpotCheck<'a> {
    pub(crate) fn new(
        settings: &'a Settings,
        client: &Client,
        generation: Generation,
        horizon: Option<Horizon>,
    ) -> Self {
        Self {
            settings,
            tables: Tables::of(client.clone(), generation),
            generation,
            horizon,
        }
    }

    /// Takes samples of what is loaded, and looks for their rows.
    pub(crate) async fn once(&self) -> Result<Look, SpotCheckError> {
        let samples = self.samples().await?;
        let checked = samples.len() as u64;
        let mut missing = self.without_row(samples).await?;
        if !missing.is_empty() {
            tokio::time::sleep(AGAIN_AFTER).await;
            missing = self.without_row(missing).await?;
        }
        Ok(Look { checked, missing })
    }

    async fn samples(&self) -> Result<Vec<Sampled>, SpotCheckError> {
        let kafka = self.settings.kafka.clone();
        let group = self
            .generation
            .consumer_group(&self.settings.consumer.group);
        let begins = self.horizon.map(Horizon::begins_at);
        let read = move || {
            let reader = LogReader::of_group(
                &kafka,
                &kafka.topic,
                "postback-spot-check",
                &group,
                Amount::Few,
            )?;
            let windows = windows(&loaded(&reader)?, random);
            let mut samples = Vec::new();
            for window in windows {
                reader.read(&window, &AtomicBool::new(false), |message| {
                    // A record of a later version is not loaded by this program.
                    let Ok(identity) = message.identity() else {
                        return;
                    };
                    if begins.is_none_or(|begins| identity.received_at >= begins) {
                        samples.push(Sampled {
                            id: identity.id,
                            partition: message.partition,
                            offset: message.offset,
                            wanted: Wanted {
                                id: identity.id,
                                received_at: identity.received_at,
                            },
                        });
                    }
                })?;
            }
            Ok::<_, LogError>(samples)
        };
        Ok(tokio::task::spawn_blocking(read).await??)
    }

    async fn without_row(&self, samples: Vec<Sampled>) -> Result<Vec<Sampled>, StoreError> {
        let wanted: Vec<Wanted> = samples.iter().map(|sample| sample.wanted).collect();
        let rows = self.tables.find(&wanted).await?;
        let found: HashSet<Uuid> = rows.iter().map(|row| row.id).collect();
        let is_missing = |sample: &Sampled| !found.contains(&sample.id);
        Ok(samples.into_iter().filter(is_missing).collect())
    }
}

/// What of each partition is in the topic and loaded.
fn loaded(reader: &LogReader) -> Result<Vec<Span>, LogError> {
    let committed = reader.committed(&reader.partitions()?)?;
    let mut loaded = Vec::new();
    for (partition, end) in committed {
        let (low, high) = reader.bounds(partition)?;
        // An offset beyond the end belongs to an earlier log.
        if end <= high {
            loaded.push(Span {
                partition,
                from: low,
                to: end,
            });
        }
    }
    Ok(loaded)
}

/// A number below a bound, and 0 where the system gives no random bytes.
fn random(below: u64) -> u64 {
    getrandom::u64().unwrap_or(0) % below.max(1)
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;

    use super::*;

    pub(in crate::upkeep) fn sampled() -> Sampled {
        Sampled {
            id: Uuid::nil(),
            partition: 0,
            offset: 7,
            wanted: Wanted {
                id: Uuid::nil(),
                received_at: Timestamp::UNIX_EPOCH,
            },
        }
    }
}
