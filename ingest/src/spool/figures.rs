//! The metrics `postback_spool_…`, taken from the spool's status at each scrape.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use postback_service::metrics::prometheus_client::collector::Collector;
use postback_service::metrics::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use postback_service::metrics::prometheus_client::metrics::counter::ConstCounter;
use postback_service::metrics::prometheus_client::metrics::gauge::ConstGauge;
use postback_spool::Status;

use super::Spooler;

/// The rate at which the spool fills is taken over this time.
const RATE_OVER: Duration = Duration::from_secs(60);

/// What is shown of a spool. Cloning shares it.
#[derive(Debug, Clone)]
pub struct SpoolFigures(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spooler: Arc<Spooler>,
    /// Bytes free on its file system, as of the last look; asking may take as long as the disk.
    free_bytes: AtomicU64,
    /// Bytes in use at past times, oldest first.
    used: Mutex<VecDeque<(Instant, u64)>>,
}

impl SpoolFigures {
    /// Of this spool.
    #[must_use]
    pub fn new(spooler: Arc<Spooler>) -> Self {
        Self(Arc::new(Inner {
            spooler,
            free_bytes: AtomicU64::new(u64::MAX),
            used: Mutex::default(),
        }))
    }

    /// Notes what is in use at `now`, for the rate.
    pub fn sample(&self, now: Instant, used_bytes: u64) {
        let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.push_back((now, used_bytes));
        while used
            .front()
            .is_some_and(|(at, _)| now.saturating_duration_since(*at) > RATE_OVER)
        {
            used.pop_front();
        }
    }

    /// Notes how much is free on the file system.
    pub fn set_free(&self, bytes: u64) {
        self.0.free_bytes.store(bytes, Relaxed);
    }

    /// Seconds until nothing more fits, at the rate of the last minute; infinite while it does not
    /// grow.
    fn seconds_until_full(&self, status: &Status) -> f64 {
        let free = self.0.free_bytes.load(Relaxed);
        let room = status.max_bytes.saturating_sub(status.used_bytes).min(free);
        let used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(first), Some(last)) = (used.front(), used.back()) else {
            return f64::INFINITY;
        };
        seconds_until_full(room, last.1.saturating_sub(first.1), last.0 - first.0)
    }
}

/// Time until `room` is used up when `grown` was used in `time`.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn seconds_until_full(room: u64, grown: u64, time: Duration) -> f64 {
    match (room, grown) {
        (0, _) => 0.0,
        (_, 0) => f64::INFINITY,
        _ => room as f64 * time.as_secs_f64() / grown as f64,
    }
}

impl Collector for SpoolFigures {
    #[allow(clippy::cast_precision_loss, reason = "metrics are floating point")]
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let settings = self.0.spooler.settings();
        let status = self.0.spooler.status();
        let mut gauge = |name: &str, help: &str, value: f64| {
            let gauge = ConstGauge::new(value);
            let name = format!("postback_spool_{name}");
            gauge.encode(encoder.encode_descriptor(&name, help, None, gauge.metric_type())?)
        };
        let ready = status.as_ref().is_some_and(|status| status.ready.is_ok());
        let help = "1 while the disk takes records";
        gauge("ready", help, f64::from(u8::from(ready)))?;
        let help = "Bytes that the spool directory may have";
        gauge("max_bytes", help, settings.max_bytes as f64)?;
        let free = self.0.free_bytes.load(Relaxed);
        if free != u64::MAX {
            let help = "Bytes free on the spool's file system";
            gauge("disk_free_bytes", help, free as f64)?;
        }
        let Some(status) = status else { return Ok(()) };
        let gauges = [
            (
                "records",
                "Records that are not in Kafka yet, as far as they are counted",
                status.records as f64,
            ),
            (
                "bytes",
                "Bytes of the segments that are not drained",
                status.bytes as f64,
            ),
            (
                "uncounted_bytes",
                "Of these, bytes of a dead process's segments whose records are not counted yet",
                status.uncounted_bytes as f64,
            ),
            (
                "used_bytes",
                "Bytes of everything in the spool directory",
                status.used_bytes as f64,
            ),
            (
                "queued_records",
                "Records that wait for the disk",
                status.queued_records as f64,
            ),
            (
                "oldest_age_seconds",
                "Age of the oldest record; 0 without one",
                status.oldest_at_micros.map_or(0.0, age_seconds),
            ),
            (
                "stranded_directories",
                "Directories of other processes that cannot be taken over",
                status.stranded.len() as f64,
            ),
            (
                "seconds_until_full",
                "Time until nothing more fits, at the rate of the last minute",
                self.seconds_until_full(&status),
            ),
            (
                "stalled_seconds",
                "How long the disk has been busy with the present write",
                status.stalled_for.unwrap_or_default().as_secs_f64(),
            ),
        ];
        for (name, help, value) in gauges {
            gauge(name, help, value)?;
        }
        counters(encoder, &status)
    }
}

fn counters(mut encoder: DescriptorEncoder<'_>, status: &Status) -> Result<(), fmt::Error> {
    let counts = status.counts;
    let counters = [
        (
            "committed_records",
            "Records that were synced to the disk",
            counts.committed_records,
        ),
        (
            "commits",
            "Groups of records that were synced",
            counts.commits,
        ),
        (
            "drained_records",
            "Records that were brought to Kafka, or set aside",
            counts.released_records,
        ),
        (
            "set_aside_records",
            "Records that Kafka refuses for themselves",
            counts.set_aside_records,
        ),
        (
            "unwanted_records",
            "Records that Kafka confirmed while they waited for the disk",
            counts.unwanted_records,
        ),
        (
            "damaged_bytes",
            "Bytes that were no record any more",
            counts.damaged_bytes,
        ),
        (
            "torn_tails",
            "Appends that were found cut short",
            counts.torn_tails,
        ),
        (
            "write_failures",
            "Failed writes, syncs and creations",
            counts.write_failures,
        ),
        ("read_failures", "Failed reads", counts.read_failures),
    ];
    for (name, help, value) in counters {
        let counter = ConstCounter::new(value);
        let name = format!("postback_spool_{name}");
        counter.encode(encoder.encode_descriptor(&name, help, None, counter.metric_type())?)?;
    }
    Ok(())
}

/// Since a time in µs since 1970.
fn age_seconds(at_micros: u64) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let at = Duration::from_micros(at_micros);
    now.unwrap_or_default().saturating_sub(at).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_until_full_follows_the_rate() {
        let minute = Duration::from_secs(60);
        // 6,000 bytes a minute are 100 a second.
        assert_eq!(seconds_until_full(5_000, 6_000, minute), 50.0);
        assert_eq!(seconds_until_full(5_000, 0, minute), f64::INFINITY);
        assert_eq!(seconds_until_full(0, 0, minute), 0.0);
    }
}
